package httpdriver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/httpdriver/loopback"
)

// Host listens for redirects and sends users to authorization endpoints. Use
// Browser{} for programs on a user's machine, Web for servers, and UserAgent for
// tests.
type Host interface {
	// Bind gives an address that already listens. preferred are the redirect
	// URIs that a client is registered for, or that were configured; a loopback
	// one without a port stands for any port.
	Bind(ctx context.Context, preferred []string) (Listener, error)
}

// Listener is an address that listens, for one login.
type Listener interface {
	RedirectURI() string
	// Visit sends the user to v.URL and hands every callback to back, until
	// ctx ends. back blocks until it is known what to show the user.
	Visit(ctx context.Context, v Visit, back func(rawURL string) Answer) error
	Close() error
}

// Visit is where a user is to be sent.
type Visit struct {
	// URL is the authorization request. It holds `state`: show it to the user
	// and to nobody else.
	URL         string
	RedirectURI string
	// Issuer is the issuer that will ask the user; show it before opening the URL.
	Issuer   string
	Account  Account
	Deadline time.Time
	// Underway says that the user's browser is already on its way to URL: it came
	// back from an earlier request of the same login, and was redirected (see
	// Answer.Next). No other page needs to be opened.
	Underway bool
}

// Answer is what to show the user after the browser came back.
type Answer struct {
	OK bool
	// Next, when set, is where to send the user's browser instead of showing a page:
	// the login goes on there, in another Visit. It holds `state`.
	Next string
	// Open says that the callback was not for this login, which still waits.
	Open           bool
	Title, Message string
	Detail         []string
}

// Browser opens the browser of this machine and receives the redirect on
// loopback. The zero value prints nothing; set Print to tell the user the URL
// too, for machines without a browser.
type Browser struct {
	// RedirectURI, if set, is used unchanged: with a fixed port, for issuers that
	// compare ports. At an https URI nothing listens on this machine, and the user pastes
	// back the address where the browser ended.
	RedirectURI string
	// NoBrowser only prints the URL.
	NoBrowser bool
	// Print tells the user where to go. Nil opens the browser silently, and a login
	// ends at once if the browser does not start.
	Print func(v Visit, opened bool)
	// Paste, if set, is read for a redirect URL that the user pastes back because no
	// browser was opened or nothing listens for the redirect. It races the listener for
	// the same login.
	Paste func(ctx context.Context) (string, error)
	// Unwanted is told why a pasted text was not accepted, in words for the user. The
	// login continues to wait.
	Unwanted func(error)
	// Open starts the browser; nil is the system's own. Its context ends when the user
	// is back; the browser keeps running.
	Open func(ctx context.Context, url string) error
}

// Bind listens on loopback, on the port of a stored registration if it is free.
func (b Browser) Bind(_ context.Context, preferred []string) (Listener, error) {
	o := loopback.Options{RedirectURI: b.RedirectURI}
	if strings.HasPrefix(b.RedirectURI, "https://") {
		return &browserListener{b, loopback.PasteOnly(b.RedirectURI)}, nil
	}
	if o.RedirectURI == "" && len(preferred) > 0 {
		u, err := url.Parse(preferred[0])
		if err != nil {
			return nil, err
		}
		if u.Scheme == "https" {
			return &browserListener{b, loopback.PasteOnly(preferred[0])}, nil
		}
		o.Host, o.Path = u.Hostname(), u.Path
		o.PreferPort, _ = strconv.Atoi(u.Port())
	}
	r, err := loopback.Listen(o)
	if err != nil {
		return nil, err
	}
	return &browserListener{b, r}, nil
}

type browserListener struct {
	Browser
	r *loopback.Receiver
}

func (b *browserListener) RedirectURI() string { return b.r.RedirectURI() }
func (b *browserListener) Close() error        { return b.r.Close() }

func (b *browserListener) Visit(ctx context.Context, v Visit, back func(string) Answer) error {
	opened := v.Underway
	first := b.next(ctx)
	if !b.NoBrowser && !opened {
		err := b.openUntil(ctx, first.came, v.URL)
		if opened = err == nil; !opened && b.Print == nil {
			return fmt.Errorf("the browser did not start, and nobody prints the link: %w", err)
		}
	}
	if b.Print != nil {
		b.Print(v, opened)
	}
	if b.Paste != nil && (!opened || b.NoBrowser || b.r.Port() == 0) {
		go b.pasted(ctx)
	}
	for c := first; ; c = b.next(ctx) {
		<-c.came
		raw, reply, err := c.raw, c.reply, c.err
		if err != nil {
			return err
		}
		a := back(raw)
		shown := reply(loopback.Page{OK: a.OK, Next: a.Next, Title: a.Title, Message: a.Message, Detail: a.Detail})
		if a.Next != "" && !shown && !b.NoBrowser {
			_ = b.open(context.WithoutCancel(ctx), a.Next) // it was printed as well
		}
		if !a.Open {
			return nil
		}
	}
}

// callback is a callback to wait for; its members are set when came is closed.
type callback struct {
	came  chan struct{}
	raw   string
	reply func(loopback.Page) bool
	err   error
}

// next waits for the next callback, beside its caller.
func (b *browserListener) next(ctx context.Context) *callback {
	c := &callback{came: make(chan struct{})}
	go func() {
		c.raw, c.reply, c.err = b.r.Wait(ctx)
		close(c.came)
	}()
	return c
}

// openUntil opens the browser. A user who is already logged in at the issuer can be back
// before it is known that the started program is a browser; the return then proves it.
func (b *browserListener) openUntil(ctx context.Context, came <-chan struct{}, url string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-came:
			stop() // ends the wait, not the browser
		case <-ctx.Done():
		}
	}()
	err := b.open(ctx, url)
	select {
	case <-came:
		return nil
	default:
		return err
	}
}

func (b *browserListener) open(ctx context.Context, url string) error {
	if b.Open != nil {
		return b.Open(ctx, url)
	}
	return loopback.OpenBrowser(ctx, url)
}

// pasted hands in what the user pastes, until the Visit is over. If Paste or Unwanted
// panics, pasting ends; the listener continues.
func (b *browserListener) pasted(ctx context.Context) {
	_ = contain("Browser.Paste", func() error {
		for ctx.Err() == nil {
			raw, err := b.Paste(ctx)
			if err != nil {
				return err
			}
			if err := b.r.Paste(raw); err != nil && ctx.Err() == nil && b.Unwanted != nil {
				b.Unwanted(err)
			}
		}
		return nil
	})
}

// Web is the Host of a server that receives redirects itself, at uri, and hands
// them to Driver.Redirected. Nothing blocks: a login that needs the user ends in a
// LoginRequiredError with the link to show.
func Web(uri string) Host { return webHost(uri) }

type webHost string

func (w webHost) Bind(context.Context, []string) (Listener, error) { return w, nil }
func (w webHost) RedirectURI() string                              { return string(w) }
func (w webHost) Close() error                                     { return nil }
func (w webHost) Visit(context.Context, Visit, func(string) Answer) error {
	return errors.New("httpdriver: a web host opens no browser")
}

// UserAgent is a Host without a user: visit goes to the URL and gives the
// address that it was redirected to. For tests, and for issuers that ask
// nobody.
type UserAgent func(ctx context.Context, v Visit) (location string, err error)

// Bind takes the preferred address unchanged, and adds a free port if it has none.
// Nothing listens there: the location is handed over directly.
func (u UserAgent) Bind(_ context.Context, preferred []string) (Listener, error) {
	uri := "http://127.0.0.1/callback"
	if len(preferred) > 0 {
		uri = preferred[0]
	}
	p, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	if p.Scheme == "http" && p.Port() == "" {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", "0"))
		if err != nil {
			return nil, err
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		_ = l.Close()
		p.Host = net.JoinHostPort(p.Hostname(), port)
	}
	return agentBinding{u, p.String()}, nil
}

type agentBinding struct {
	visit UserAgent
	uri   string
}

func (a agentBinding) RedirectURI() string { return a.uri }
func (a agentBinding) Close() error        { return nil }

func (a agentBinding) Visit(ctx context.Context, v Visit, back func(string) Answer) error {
	location, err := a.visit(ctx, v)
	if err != nil {
		return err
	}
	back(location)
	return nil
}
