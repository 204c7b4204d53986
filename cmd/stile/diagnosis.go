package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
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

// commandWithURL matches a command in an advice, up to the place of its server.
var commandWithURL = regexp.MustCompile(`(stile [a-z ]+ )URL`)

// likelyPaths are where MCP servers usually are.
var likelyPaths = []string{"/mcp", "/sse"}

// explain adds what the command knows to a failure of authorization: the address
// that the user probably meant, the flags that help, and how the server answered
// before.
func (c *client) explain(ctx context.Context, flags *accountFlags, err error) error {
	var own *failure
	f, ok := fsm.FaultOf(err)
	if !ok || errors.As(err, &own) {
		return err
	}
	told := &failure{code: exitOf(f), err: err, advice: commandWithURL.ReplaceAllString(inFlags(f), "${1}"+strings.ReplaceAll(c.server, "$", "$$"))}
	c.mu.Lock()
	hint, legacy, asks, refusal := c.hint, c.legacy, c.asks, c.refusal
	c.mu.Unlock()
	switch {
	case f.Event == transitions.RedirectUnavailable:
		told.first = flags.notBound()
	case !discovery(f) && !(legacy && f.Event == transitions.RegistrationUnreachable) || f.Party == states.PartyStore:
	case hint != "":
		told.advice = "the server's address is probably " + hint + "; try: stile login " + hint
	default:
		if hint = c.probe(ctx, flags); hint != "" {
			told.advice = "the server's address is probably " + hint + "; try: stile login " + hint
		} else if legacy {
			told.code, told.party, told.rule = exitPeer, states.PartyPeer, rules.PRMServed
			told.says = "nothing at " + c.server + " asks for a login, and no metadata names who protects it"
			told.advice = "check the address: it must be that of the MCP endpoint, often with a path such as /mcp"
			if errors.As(refusal, &own) && own.see == notMCP && !asks {
				// The endpoints of the login were guessed, and are not there either.
				told.says, told.see = "there is no MCP server at "+c.server, notMCP
			}
			if asks {
				told.says = c.server + " asks for a login, and no metadata names who gives it"
				told.advice = "tell the operator to publish protected resource metadata (RFC 9728), or name the issuer: --issuer ISSUER"
			}
		}
		if refusal != nil && legacy {
			told.first = describe(refusal).Message
		}
	}
	return told
}

// discovery reports whether a failure may come from a wrong address: nothing
// was found where the server was said to be.
func discovery(f states.Fault) bool {
	switch f.Event {
	case transitions.PRMAbsent, transitions.PRMResourceMismatch, transitions.ASMAbsent,
		transitions.RegistrationRefused, transitions.ClientMissing:
		return true
	}
	return false
}

// probe looks for resource metadata at the paths where MCP servers usually are. It
// asks only the same origin, and accepts a document only if the document is about the
// address that was probed.
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

// resourceOf is the resource that a metadata document is about, if it names one.
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

// notBound finds out why no address listens for the redirect. The machine only learns
// that none does.
func (f *accountFlags) notBound() string {
	r, err := loopback.Listen(loopback.Options{RedirectURI: f.redirect})
	if err != nil {
		return inWords(err)
	}
	_ = r.Close()
	return ""
}
