package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/httpdriver/loopback"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// likelyPaths are where MCP servers usually are.
var likelyPaths = []string{"/mcp", "/sse"}

// explain adds to a failure the address that was probably meant.
func (c *client) explain(ctx context.Context, flags *accountFlags, err error) error {
	f, ok := fsm.FaultOf(err)
	if ok && f.Event == string(transitions.RedirectUnavailable) {
		return &failure{code: exitOf(f), err: err, first: flags.notBound()}
	}
	if !ok || f.Party == states.PartyStore || f.Party == states.PartyHuman || f.Party == states.PartyNobody || f.Party == states.PartyHost && !discovery(f) {
		return err
	}
	if f.Problem.Rule == rules.NetIPPolicy {
		return &failure{code: exitOf(f), err: err, advice: "if the address is meant, allow it with --allow-private HOST"}
	}
	c.mu.Lock()
	hint, legacy := c.hint, c.legacy
	c.mu.Unlock()
	if hint == "" && discovery(f) {
		hint = c.probe(ctx, flags)
	}
	switch {
	case hint == "" && legacy && discovery(f):
		return &failure{code: exitOf(f), err: err, advice: "nothing at this address says that a protected MCP server is there; check the address"}
	case hint == "":
		return err
	}
	return &failure{code: exitOf(f), err: err, advice: "the server's address is probably " + hint + "; try: stile login " + hint}
}

// discovery reports whether a failure may come from a wrong address: nothing
// was found where the server was said to be.
func discovery(f states.Fault) bool {
	switch transitions.Event(f.Event) {
	case transitions.PRMAbsent, transitions.PRMResourceMismatch, transitions.ASMAbsent,
		transitions.RegistrationRefused, transitions.ClientMissing:
		return true
	}
	return false
}

// probe looks for resource metadata at the paths where MCP servers usually are.
// It asks the same origin only, and believes a document only when it is about
// the address that it was looked for.
func (c *client) probe(ctx context.Context, flags *accountFlags) string {
	u, err := url.Parse(c.server)
	if err != nil {
		return ""
	}
	t, err := flags.transport()
	if err != nil {
		return ""
	}
	g, err := guard.New(guard.Options{Transport: t, AllowPrivate: flags.allowPrivate, AllowPrivateName: "--allow-private"})
	if err != nil {
		return ""
	}
	defer g.CloseIdleConnections()
	for _, path := range likelyPaths {
		candidate := u.Scheme + "://" + u.Host + path
		if candidate == c.server {
			continue
		}
		r, failure := g.Do(ctx, guard.Call{
			Request: wire.GetMetadata(bearer.MetadataURL(candidate), string(states.R4)), Timeout: 3 * time.Second, Loopback: wire.IsLoopbackHTTP(candidate),
		})
		if failure == nil && r.Status == http.StatusOK && resourceOf(r) == candidate {
			return candidate
		}
	}
	return ""
}

// resourceOf is what a metadata document is about, if that can be told.
func resourceOf(r wire.Response) string {
	o, err := wire.ParseObject(r.Body)
	if err != nil {
		return ""
	}
	s, _, _ := o.String("resource")
	return s
}

// sameOrigin gives resource if it is an address at the same origin as server.
func sameOrigin(resource, server string) string {
	r, err := url.Parse(resource)
	if err != nil {
		return ""
	}
	s, err := url.Parse(server)
	if err != nil || r.Scheme != s.Scheme || !strings.EqualFold(r.Host, s.Host) || wire.Clean(resource, 300) != resource {
		return ""
	}
	return resource
}

// notBound finds out why no address listens for the redirect: the machine only
// hears that none does.
func (f *accountFlags) notBound() string {
	r, err := loopback.Listen(loopback.Options{RedirectURI: f.redirect})
	if err != nil {
		return inWords(err)
	}
	_ = r.Close()
	return ""
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
	f := &failure{code: exitPeer, err: err, rule: rules.ChallengeRedirectNotAuth, party: states.PartyPeer}
	f.says = fmt.Sprintf("%s answers with a redirect (HTTP status %d) to %s, where no MCP server answered", c.server, e.status, e.to)
	f.advice = "if that is the server's address, use it: stile login " + e.to + "; otherwise tell the operator: a server that wants a login says so with status 401 and a challenge (RFC 9110 §15.5.2)"
	if !e.origin {
		f.says = fmt.Sprintf("%s answers with a redirect (HTTP status %d) to another host, %s: it is not followed, since no token may go there", c.server, e.status, e.to)
	}
	return f
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
		f.party, f.rule = states.PartyNetwork, rules.HouseUnreachable
		f.err = fmt.Errorf("no answer from %s: %w", c.server, outer.Err)
		f.advice = "check the address, and that the server is running"
	}
	return f
}

// unanswered is err, or what is to be said when it came of the server's silence.
func (c *client) unanswered(ctx context.Context, doing string, err error) error {
	if err == nil || !errors.Is(context.Cause(ctx), errNoAnswer) {
		return err
	}
	return &failure{
		code:   exitNetwork,
		party:  states.PartyNetwork,
		rule:   rules.HouseUnreachable,
		err:    fmt.Errorf("%s: %w within %s", doing, errNoAnswer, c.patience.span),
		advice: "try again later, or give it more time with --server-timeout",
	}
}
