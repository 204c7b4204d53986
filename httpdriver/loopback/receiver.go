// Package loopback receives the answer of the authorization endpoint on this
// machine (RFC 8252 §7.3, OAuth 2.1 §8.4.2) and opens the browser that goes to
// fetch it.
//
//	r, err := loopback.Listen(loopback.Options{}) // bound before anything is registered
//	address := "https://as.example/authorize?redirect_uri=" + r.RedirectURI() // and the rest of the request
//	if err := loopback.OpenBrowser(ctx, address); err != nil {
//		fmt.Println("open", address)
//	}
//	callback, reply, err := r.Wait(ctx) // what came back, or what was pasted
//	reply(loopback.Page{OK: true, Title: "Signed in"})
//
// # Guarantees
//
// The listener is bound to loopback only, answers only for its own authority
// and path, and lives for one login (authz-resp-listener-loopback,
// net-host-header-loopback). It judges nothing inside the callback: state,
// issuer and code are the machine's business, for a callback that arrived by
// socket and for one that was pasted alike (authz-resp-paste-back). A callback
// that the machine refuses leaves the receiver open for the next.
//
// # Who should not use it
//
// A web application, which has an address of its own for the redirect (httpdriver.Web),
// and a program whose user has no browser on the same machine.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say where to listen. The zero value is http://127.0.0.1:PORT/callback
// on a free port.
type Options struct {
	// RedirectURI is used verbatim, with its fixed port; port 0 means any free
	// one. It must be http on loopback. Host, Path and PreferPort are ignored
	// when it is set.
	RedirectURI string
	// Host is "127.0.0.1" (default), "[::1]" or "localhost". Literals are what
	// OAuth 2.1 §8.4.2 recommends (authz-req-loopback-literal); the name is for
	// servers that know no other.
	Host string
	// Path of the redirect URI; "" means /callback.
	Path string
	// PreferPort is tried first, usually the port of a stored registration;
	// when it is taken, any free one serves.
	PreferPort int
	// Logger hears of requests that were turned away; nil is silent.
	Logger *slog.Logger
}

// ErrClosed is returned by Wait and Paste once the receiver is closed.
var ErrClosed = errors.New("loopback: the receiver is closed")

// PortError says that the fixed port of a redirect URI cannot be had.
type PortError struct {
	Port int
	Addr string
	Err  error
}

func (e *PortError) Error() string {
	return fmt.Sprintf("loopback: port %d of RedirectURI cannot be bound on %s (another program has it, or it is not permitted): free it, or set RedirectURI to another port (0: any free one)", e.Port, e.Addr)
}

// Unwrap gives the error of the operating system.
func (e *PortError) Unwrap() error { return e.Err }

const (
	maxPending  = 8        // callbacks that wait to be looked at
	maxCallback = 64 << 10 // bytes of a callback URL
	grace       = 2 * time.Second
)

// offer is one callback on its way to Wait.
type offer struct {
	raw   string
	reply chan Page // capacity 1; nil when nobody looks at a page
}

// Receiver waits for one login. Its methods may be called from any goroutine.
type Receiver struct {
	redirect  string
	authority string // what the Host header must say
	path      string // escaped, exactly
	log       *slog.Logger

	offers  chan offer
	slots   chan struct{}
	done    chan struct{}
	close   sync.Once
	srv     *http.Server
	serving sync.WaitGroup // accept loops

	mu      sync.Mutex
	closed  bool
	handled sync.WaitGroup // requests being answered; Add only under mu while open
}

// Listen binds the address at once, so that the redirect URI can be registered
// knowing that it will be answered (reg-bind-before-register).
func Listen(o Options) (*Receiver, error) {
	u, fixed, err := target(o)
	if err != nil {
		return nil, err
	}
	host := u.Hostname()
	want := o.PreferPort
	if fixed {
		want = 80
		if p := u.Port(); p != "" {
			want, _ = strconv.Atoi(p) // wire.CheckURL has judged it
		}
	}
	ls, port, err := bind(host, want, fixed && want != 0)
	if err != nil {
		return nil, err
	}
	authority := u.Host
	if u.Port() == "0" {
		authority = strings.TrimSuffix(u.Host, "0") + strconv.Itoa(port)
	}
	redirect := o.RedirectURI
	if u.Port() == "0" {
		v := *u
		v.Host = authority
		redirect = v.String()
	}
	r := newReceiver(redirect, authority, u.EscapedPath(), o.Logger)
	r.srv = &http.Server{
		Handler:           http.HandlerFunc(r.serve),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    maxCallback,
		ErrorLog:          slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
	}
	r.srv.SetKeepAlivesEnabled(false)
	for _, l := range ls {
		r.serving.Go(func() { _ = r.srv.Serve(l) })
	}
	return r, nil
}

// PasteOnly is a receiver without a socket, for a redirect URI that another
// host answers or that nobody can reach: callbacks come by Paste alone.
func PasteOnly(redirectURI string) *Receiver { return newReceiver(redirectURI, "", "", nil) }

func newReceiver(redirect, authority, path string, log *slog.Logger) *Receiver {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if path == "" {
		path = "/"
	}
	return &Receiver{
		redirect: redirect, authority: authority, path: path, log: log,
		offers: make(chan offer, 2*maxPending), slots: make(chan struct{}, maxPending), done: make(chan struct{}),
	}
}

// RedirectURI is the address to register and to send, with the real port.
func (r *Receiver) RedirectURI() string { return r.redirect }

// Port is the port in use; 0 for PasteOnly.
func (r *Receiver) Port() int {
	if r.authority == "" {
		return 0
	}
	_, p, err := net.SplitHostPort(r.authority)
	if err != nil {
		return 80
	}
	n, _ := strconv.Atoi(p)
	return n
}

// Wait gives the next callback, verbatim. reply shows a page in the browser that
// came back, and must be called once the outcome is known (calls after the first do
// nothing). It reports whether there is a browser to show it in: a callback that was
// pasted has none. The receiver stays open: call Wait again when the callback was
// not the right one.
func (r *Receiver) Wait(ctx context.Context) (rawURL string, reply func(Page) bool, err error) {
	if r.isDone() {
		return "", nil, ErrClosed
	}
	select {
	case o := <-r.offers:
		var once sync.Once
		return o.raw, func(p Page) bool {
			if o.reply == nil {
				return false
			}
			once.Do(func() { o.reply <- p })
			return true
		}, nil
	case <-ctx.Done():
		return "", nil, ctx.Err()
	case <-r.done:
		return "", nil, ErrClosed
	}
}

func (r *Receiver) isDone() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Close frees the port, answers requests that still wait for a page, and ends
// every goroutine that Listen started. A page given to reply just before is
// still delivered.
func (r *Receiver) Close() error {
	var err error
	r.close.Do(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		close(r.done)
		if r.srv == nil {
			return
		}
		answered := make(chan struct{})
		cut := time.AfterFunc(grace, func() { _ = r.srv.Close() })
		go func() { r.handled.Wait(); close(answered) }()
		<-answered // bounded: the cut fails every write still under way
		cut.Stop()
		err = r.srv.Close()
		r.serving.Wait()
	})
	return err
}
