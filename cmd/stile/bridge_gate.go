package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bridge"
	"github.com/stile-oauth/stile/httpdriver/loopback"
	"github.com/stile-oauth/stile/httpdriver/version"
	"github.com/stile-oauth/stile/states"
)

// gate carries the requests of a bridge. It opens the store and the driver with the
// first request, so that the host gets its first answer before. Of all instances at
// one server, one leads: only that instance asks the user and listens for the redirect.
// The leading instance holds a lock, which ends with its process. Logins are parked in
// the store, so the instance that leads when the user comes back can finish them, even
// if the process that began them is gone.
type gate struct {
	a      *app
	f      *bridgeFlags
	ctx    context.Context
	server string
	memo   *memo

	mu      sync.Mutex
	cl      *client
	next    http.RoundTripper
	lock    *flock.Flock
	leading bool
	door    *loopback.Receiver // listens while this instance leads, where a redirect comes
	last    answer             // how the server answered last
	settled bool               // the server answered, or there is a login
	url     string             // the address, and the code, with which the login under way was announced
	under   *bridge.Login      // the login under way, here or elsewhere
	work    sync.WaitGroup

	answering sync.Mutex // held while a user has come back and waits for the page
}

// elsewhere says that another instance asks the user.
var errElsewhere = errors.New("another instance of the bridge is waiting for the login")

// look is how often an instance looks whether a login is done.
const look = 250 * time.Millisecond

// RoundTrip sends a request with the token. Without a login, only the leading instance
// sends requests.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	next, err := g.ready(r.Context())
	if err != nil {
		return nil, err
	}
	if r.Header.Get("User-Agent") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", version.Get().UserAgent())
	}
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.last = answer{method: r.Method, status: resp.StatusCode}
	g.mu.Unlock()
	if resp.StatusCode < 400 {
		g.settle()
	}
	return attend(resp, seconds(g.f.bodyTimeout)), nil
}

// ready gives the transport. It returns errElsewhere if a login is needed and another
// instance leads.
func (g *gate) ready(ctx context.Context) (http.RoundTripper, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cl == nil {
		if err := g.open(ctx); err != nil {
			return nil, err
		}
	}
	if !g.settled && !g.leading {
		st, err := g.status(ctx)
		switch {
		case err == nil && st.LoggedIn:
			g.settled = true
		case !g.lead():
			return nil, errElsewhere
		}
	}
	return g.next, nil
}

// status is the status of the login; a login in quarantine counts as none. The caller
// holds mu.
func (g *gate) status(ctx context.Context) (httpdriver.Status, error) {
	st, err := g.cl.driver.Status(ctx, g.cl.account)
	st.LoggedIn = st.LoggedIn && st.Issuer != ""
	return st, err
}

// settle lets another instance lead when the server answers without a login.
func (g *gate) settle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settled = true
	if g.under == nil {
		g.retreat()
	}
}

// open makes the client. If nobody is logged in and no other instance leads, this
// instance leads: the port must be known before a client is registered.
func (g *gate) open(ctx context.Context) error {
	g.lock = flock.New(g.memo.path + ".lock")
	port := g.f.ports(g.server, g.memo.read().Port)
	g.f.listen = g.f.comesBack(port[0])
	g.settled = g.f.userless()
	if !g.settled && g.lead() && g.door != nil {
		g.f.listen = g.door.RedirectURI()
	}
	var policy error
	c, err := g.f.openWith(g.ctx, g.a, g.server, g.f.openOrCreate, func(p *httpdriver.Policy) { policy = g.f.policy(g.a, p) })
	if err == nil {
		err = policy
	}
	if err != nil {
		if c != nil {
			_ = c.close()
		}
		return err
	}
	g.takeOver(c)
	base, err := g.base(c)
	if err != nil {
		return errors.Join(err, c.close())
	}
	next, err := c.driver.Transport(c.account, base)
	if err != nil {
		return errors.Join(err, c.close())
	}
	g.cl, g.next = c, next
	if st, err := g.status(ctx); err == nil && st.LoggedIn {
		g.settled = true
		g.retreat()
	}
	if g.door != nil {
		g.attend(g.door)
	}
	return nil
}

// login recognises an error of a request that a login can fix.
func (g *gate) login(err error) *bridge.Login {
	var need *httpdriver.LoginRequiredError
	if !errors.As(err, &need) && !errors.Is(err, errElsewhere) {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if need != nil && !g.lead() {
		need = nil // another instance asks
	}
	url, shown := "", ""
	if need != nil {
		url, shown = need.URL, need.URL+" "+need.Code
	}
	if g.under != nil && g.url == shown {
		select {
		case <-g.under.Done:
		default:
			return g.under
		}
	}
	done := make(chan struct{})
	l := &bridge.Login{URL: url, Done: done}
	if need != nil {
		l.Issuer, l.Expires, l.Code = need.Issuer, need.Expires, need.Code
	}
	g.url, g.under = shown, l
	var before states.Generation
	if st, err := g.status(g.ctx); err == nil {
		before = st.Generation
	}
	g.work.Go(func() { g.watch(l, before, done) })
	return l
}

// watch closes done when a login has ended: because there is a newer token, because
// the link has expired, or because the instance that asked is gone.
func (g *gate) watch(l *bridge.Login, before states.Generation, done chan struct{}) {
	defer close(done)
	beat := time.NewTicker(look)
	defer beat.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-beat.C:
		}
		g.mu.Lock()
		st, err := g.status(g.ctx)
		in := err == nil && st.LoggedIn && st.Generation != before
		over := in || !l.Expires.IsZero() && time.Now().After(l.Expires) || l.URL == "" && (g.settled || g.lead())
		if over && g.under == l {
			g.under = nil
			if in {
				g.settled = true
				g.retreat()
			}
		}
		g.mu.Unlock()
		if over {
			return
		}
	}
}

// wanted tells the user about a login, and opens the browser unless the host does that.
func (g *gate) wanted(l *bridge.Login, elicited bool) {
	if l.URL == "" {
		g.note("Another instance of the bridge is waiting for a login to " + g.server + ".")
		return
	}
	v := httpdriver.Visit{URL: l.URL, Issuer: l.Issuer, Account: g.cl.account, Deadline: l.Expires, RedirectURI: g.f.listen}
	opened := false
	if !elicited && !g.f.noBrowser && l.Code == "" {
		var before states.Generation
		if st, err := g.cl.driver.Status(g.ctx, g.cl.account); err == nil {
			before = st.Generation
		}
		if g.memo.mayOpen(before) {
			open := g.a.browse
			if open == nil {
				open = loopback.OpenBrowser
			}
			opened = open(g.ctx, l.URL) == nil
		}
	}
	switch {
	case g.f.silent:
	case l.Code != "":
		g.a.inviteWithCode(v, l.Code)
	default:
		g.a.inviteToBridge(v, opened)
	}
}

func (g *gate) note(text string) {
	if !g.f.silent {
		g.a.notice(text)
	}
}

// close ends the driver and lets another instance lead.
func (g *gate) close() error {
	g.mu.Lock()
	g.retreat()
	c := g.cl
	g.mu.Unlock()
	g.work.Wait()
	if c == nil {
		return nil
	}
	return c.close()
}
