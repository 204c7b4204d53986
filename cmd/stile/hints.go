package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

func tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// learn takes from a step what a failure can be explained by: the address that
// resource metadata is about when it is not the one that was asked for.
func (c *client) learn(s httpdriver.Step) {
	if s.Result.Event == transitions.LegacyServer || s.Result.Event == transitions.LegacyDefaults {
		c.mu.Lock()
		c.legacy = true
		c.mu.Unlock()
	}
	c.mu.Lock()
	if f := s.Result.Machine.Data.Fault; f != nil {
		c.last = *f
	}
	if on, flow := s.Result.Event, s.From.Data.Flow; flow != nil {
		short := on == transitions.TokenNarrowed
		if short || on == transitions.ScopeRefused || on == transitions.RegistrationTooNarrow {
			c.asked = wire.Union(c.asked, flow.Asked)
		}
		c.issued = c.issued || short || on == transitions.TokenIssued
	}
	c.mu.Unlock()
	in, ok := s.Input.(states.Responded)
	if !ok || s.From.State != states.DiscoveringPRM || in.Response.Status != http.StatusOK {
		return
	}
	if r := sameOrigin(resourceOf(in.Response), c.server); r != "" && r != c.server {
		c.mu.Lock()
		c.hint = r
		c.mu.Unlock()
	}
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
	if f.Problem.Rule == wire.RuleNetIPPolicy {
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

// bracketed sorts names, the required first and the others in brackets.
func bracketed(names, required []string) []string {
	slices.Sort(names)
	var first, rest []string
	for _, n := range names {
		if slices.Contains(required, n) {
			first = append(first, n)
		} else {
			rest = append(rest, "["+n+"]")
		}
	}
	return append(first, rest...)
}

// queue says, once, that another process has announced a login for this server,
// and what becomes of the one here.
func (c *client) queue(s httpdriver.Step) {
	line := ""
	switch to, flow := s.Result.Machine.State, s.Result.Machine.Data.Flow; {
	case to == states.Queuing:
		line = "Another process has a login for this server under way; waiting until it ends, a minute at most if it has died (stile login does not wait)."
	case s.Result.Event == transitions.Announced && flow != nil && flow.Mark == 0:
		line = "Another process announced a login for this server and may have died; this login begins at once, and the first to be finished serves both."
	}
	if line != "" && !c.queued.Swap(true) {
		c.a.notice(line)
	}
}

// notGranted are the scopes that a login asked for and did not get: those that
// were named, and those that the server asks for. offline_access is none that a
// token has.
func (c *client) notGranted(named, granted []string) []string {
	c.mu.Lock()
	asked := wire.Union(named, c.asked)
	c.mu.Unlock()
	return slices.DeleteFunc(wire.Missing(granted, asked), func(s string) bool { return s == "offline_access" })
}

// loggedIn reports whether a login of this command brought a token.
func (c *client) loggedIn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.issued
}

// noToken says why there is no token although one was there: st is what was
// stored before it was asked for.
func (c *client) noToken(st httpdriver.Status) error {
	if !st.LoggedIn {
		return notLoggedIn(c.server)
	}
	f := &failure{code: exitLogin, says: "nobody is logged in to " + c.server + " any more", advice: "log in again: stile login " + c.server}
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	switch {
	case last.Event != "":
		why := last.Problem.Detail
		if o := last.Problem.OAuth; o != nil {
			why = o.String()
		}
		f.err, f.first = fsm.Err(last), "the token expired "+stamp(st.Expires)+", and its issuer refused to renew it: "+why
	case !st.Renewable:
		f.err, f.first = httpdriver.ErrNoToken, "the token expired "+stamp(st.Expires)+", and there is no refresh token to renew it with"
	default:
		f.err = httpdriver.ErrNoToken
	}
	return f
}
