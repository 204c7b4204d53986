package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// errNoAnswer says that the MCP server did not answer in the time that it has.
var errNoAnswer = errors.New("the MCP server did not answer")

// patience ends a context when nothing has moved for a while: no request was
// sent to the MCP server and no login made a step. It is the server that is
// waited for then, for an answer of HTTP or one inside a stream. While a login is
// under way nothing runs out: that has bounds of its own, and a human.
type patience struct {
	span time.Duration // 0: for ever
	end  context.CancelCauseFunc

	mu      sync.Mutex
	timer   *time.Timer
	logging bool // a login, or a refresh, is under way
}

// waiting gives the context of a session with the MCP server.
func (p *patience) waiting(ctx context.Context) context.Context {
	ctx, p.end = context.WithCancelCause(ctx)
	p.moved(false)
	return ctx
}

// moved says that something was done: the time begins anew.
func (p *patience) moved(logging bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end == nil || p.span <= 0 {
		return
	}
	p.logging = logging
	if p.timer == nil {
		p.timer = time.AfterFunc(p.span, p.over)
	} else {
		p.timer.Reset(p.span)
	}
}

func (p *patience) over() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.logging {
		p.end(errNoAnswer)
	}
}

// stop lets go of it.
func (p *patience) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.end != nil {
		p.end(nil)
		p.end = nil
	}
}

// unanswered is err, or what is to be said when it came of the server's silence.
func (c *client) unanswered(ctx context.Context, doing string, err error) error {
	if err == nil || !errors.Is(context.Cause(ctx), errNoAnswer) {
		return err
	}
	return &failure{
		code:   exitNetwork,
		party:  states.PartyNetwork,
		rule:   wire.RuleHouseUnreachable,
		err:    fmt.Errorf("%s: %w within %s", doing, errNoAnswer, c.patience.span),
		advice: "try again later, or give it more time with --server-timeout",
	}
}

// connect opens an MCP session over the driver. The context that it gives is
// that of the session.
func (c *client) connect(ctx context.Context) (context.Context, *mcp.ClientSession, error) {
	hc, err := c.driver.Client(c.account)
	if err != nil {
		return ctx, nil, err
	}
	ctx = c.patience.waiting(ctx)
	hc.Transport = &witness{next: hc.Transport, c: c, session: ctx}
	s, err := mcp.NewClient(&mcp.Implementation{Name: "stile", Version: "1"}, nil).Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: c.server, HTTPClient: hc, DisableStandaloneSSE: true, MaxRetries: -1,
	}, nil)
	return ctx, s, c.unanswered(ctx, "connecting to "+c.server, err)
}

// withSession runs do in an MCP session with a server.
func (f *accountFlags) withSession(ctx context.Context, a *app, url string, do func(context.Context, *mcp.ClientSession) error) (err error) {
	c, err := f.open(ctx, a, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	defer c.patience.stop()
	session, s, err := c.connect(ctx)
	if err != nil {
		if f := c.authFault(); f != nil {
			err = f
		} else if session.Err() == nil {
			err = c.sentElsewhere(c.notConnected(err))
		}
		return c.explain(ctx, f, err)
	}
	err = c.unanswered(session, "waiting for "+c.server, do(session, s))
	if f := c.authFault(); err != nil && f != nil {
		err = f
	}
	if e := s.Close(); err == nil && e != nil && !errors.Is(e, http.ErrServerClosed) {
		a.notice("the session was not closed: " + e.Error())
	}
	if err != nil {
		err = c.explain(ctx, f, err)
	}
	return err
}

// witness remembers the first failure below the MCP client, which wraps, or
// loses, what stopped it.
type witness struct {
	next    http.RoundTripper
	c       *client
	session context.Context
}

// parting is how long the MCP client's farewells may take once the session is
// over: it tells the server what is not wanted any more, and a server that was
// given up, or left by Control-C, is not waited for again.
const parting = 250 * time.Millisecond

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.session.Err() != nil {
		ctx, cancel := context.WithTimeout(r.Context(), parting)
		time.AfterFunc(parting, cancel)
		r = r.WithContext(ctx)
	} else {
		w.c.patience.moved(false)
	}
	resp, err := w.next.RoundTrip(r)
	if err == nil {
		w.c.redirected(resp)
		return resp, nil
	}
	_, fault := fsm.FaultOf(err)
	fault = fault || errors.Is(err, httpdriver.ErrOutside) || errors.Is(err, httpdriver.ErrNotReplayable)
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if fault && w.c.fault == nil {
		w.c.fault = err
	}
	w.c.unreachable = w.c.unreachable || !fault
	return resp, err
}

// elsewhere is where an MCP server sends its clients in place of an answer.
type elsewhere struct {
	status int
	to     string // without its query, which is nobody's business
	origin bool   // it is at the server's own origin, and was followed
}

// redirected remembers the first redirect that the server answered with.
func (c *client) redirected(resp *http.Response) {
	if resp.StatusCode < 300 || resp.StatusCode > 399 {
		return
	}
	to, err := resp.Location()
	if err != nil {
		return
	}
	e := elsewhere{status: resp.StatusCode, to: wire.Clean(to.Scheme+"://"+to.Host+to.EscapedPath(), 300)}
	e.origin = sameOrigin(e.to, c.server) != ""
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.elsewhere.status == 0 {
		c.elsewhere = e
	}
}

// sentElsewhere says of a failure that the server redirects its clients, which
// is what it comes of; other failures stay as they are.
func (c *client) sentElsewhere(err error) error {
	c.mu.Lock()
	e := c.elsewhere
	c.mu.Unlock()
	if _, fault := fsm.FaultOf(err); fault || err == nil || e.status == 0 {
		return err
	}
	f := &failure{code: exitPeer, err: err, rule: wire.RuleChallengeRedirectNotAuth, party: states.PartyPeer}
	f.says = fmt.Sprintf("%s answers with a redirect (HTTP status %d) to %s, where no MCP server answered", c.server, e.status, e.to)
	f.advice = "if that is the server's address, use it: stile login " + e.to + "; otherwise tell the operator: a server that wants a login says so with status 401 and a challenge (RFC 9110 §15.5.2)"
	if !e.origin {
		f.says = fmt.Sprintf("%s answers with a redirect (HTTP status %d) to another host, %s: it is not followed, since no token may go there", c.server, e.status, e.to)
	}
	return f
}

// authFault is the first failure of authorization; nil when there was none.
func (c *client) authFault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

// connectCode is the exit status of a connection that was not made: of the
// network when no answer came.
func (c *client) connectCode() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unreachable {
		return exitNetwork
	}
	return exitFailed
}

// notConnected says why there is no session, in the words of the network where
// it was the network: what the layers between add helps nobody.
func (c *client) notConnected(err error) error {
	f := &failure{code: c.connectCode(), err: fmt.Errorf("connecting to %s: %w", c.server, err)}
	var outer *url.Error
	if f.code == exitNetwork && errors.As(err, &outer) {
		f.party, f.rule = states.PartyNetwork, wire.RuleHouseUnreachable
		f.err = fmt.Errorf("no answer from %s: %w", c.server, outer.Err)
		f.advice = "check the address, and that the server is running"
	}
	return f
}
