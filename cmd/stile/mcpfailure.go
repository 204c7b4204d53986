package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// notMCP is the entry for an address where something answers that is no MCP server.
const notMCP = "not-an-mcp-server"

// mcpFailure says what an error of the SDK means: the exit status, whose fault it
// is and what to do. It keeps the SDK's own text as the first cause only if nothing
// better is known. doing is the step that failed.
func (c *client) mcpFailure(ctx context.Context, doing string, err error) error {
	err = c.meaning(ctx, doing, err)
	var own *failure
	if errors.As(err, &own) {
		own.step = doing
	}
	return err
}

func (c *client) meaning(ctx context.Context, doing string, err error) error {
	c.mu.Lock()
	fault, answer, unreachable, redirect := c.fault, c.answer, c.unreachable, c.redirect
	c.mu.Unlock()
	var said *jsonrpc.Error
	switch {
	case errors.Is(fault, httpdriver.ErrOutside):
		return c.outside(fault, redirect)
	case fault != nil:
		return fault
	case errors.Is(context.Cause(ctx), errNoAnswer):
		return &failure{
			code: exitNetwork, party: states.PartyNetwork, rule: rules.HouseUnreachable,
			err:    fmt.Errorf("%s: %w within %s", doing, errNoAnswer, c.patience.span),
			advice: "try again later, or give it more time with --server-timeout",
		}
	case ctx.Err() != nil:
		return ctx.Err()
	case unreachable != nil:
		return notReached(c.server, unreachable)
	case redirect.location != "" && answer.status/100 != 2:
		return c.redirected(redirect)
	case answer.status >= 400:
		return c.refused(answer, err)
	case errors.As(err, &said) && (said.Code == jsonrpc.CodeMethodNotFound || said.Code == jsonrpc.CodeInvalidParams):
		return &failure{
			code: exitFailed, see: "tool-arguments", err: fmt.Errorf("%s: the server answered: %s", doing, said.Message),
			advice: "stile tools " + c.server + " lists the tools and their arguments",
		}
	case errors.As(err, &said):
		return &failure{
			code: exitPeer, see: "server-error", party: states.PartyPeer, err: fmt.Errorf("%s: the server answered with an error: %s", doing, said.Message),
			advice: "try again; if this persists, tell the operator of the server",
		}
	case redirect.location != "":
		return c.redirected(redirect)
	}
	f := &failure{
		code: exitPeer, see: notMCP, party: states.PartyPeer, first: err.Error(),
		err:    fmt.Errorf("%s did not answer as an MCP server does", c.server),
		advice: "check the address: it must be that of the MCP endpoint, often with a path such as /mcp",
	}
	if answer.media == "text/html" {
		f.err, f.first = fmt.Errorf("%s answered with a web page, not as an MCP server", c.server), ""
	}
	return f
}

// rejectedBySDK is the code with which the SDK says that a request failed; it does not
// come from a server.
const rejectedBySDK = -32005

// refused is the failure for an HTTP status of 400 and more.
func (c *client) refused(a answer, err error) error {
	status := fmt.Sprintf("HTTP status %d %s", a.status, http.StatusText(a.status))
	f := &failure{code: exitPeer, party: states.PartyPeer}
	says := func(format string, args ...any) { f.err = fmt.Errorf(format, args...) }
	var said *jsonrpc.Error
	if errors.As(err, &said) && said.Code != rejectedBySDK {
		f.first = "the server said: " + said.Message
	}
	switch {
	case a.needsTLS:
		says("%s is http, but the server there speaks https", c.server)
		f.see = "http-or-https"
		f.code, f.advice = exitUsage, "did you mean https"+strings.TrimPrefix(c.server, "http")+"?"
		f.party = ""
	case a.status == http.StatusTooManyRequests || a.status >= 500 && a.status != http.StatusNotImplemented || a.status == http.StatusRequestTimeout:
		says("the MCP server %s is in trouble (%s)", c.server, status)
		f.see = "server-in-trouble"
		f.code, f.advice = exitNetwork, "try again later; if this persists, tell the operator of the server"
		if a.retryAfter != "" {
			f.advice = "try again later: the server says Retry-After " + a.retryAfter
		}
	case a.status == http.StatusUnauthorized:
		says("%s still wants a login after one (%s)", c.server, status)
		f.see = string(rules.ChallengeFreshTokenLoop)
		f.advice = "log in again: stile login " + c.server + " --again; if this persists, tell the operator of the server"
	case a.status == http.StatusForbidden:
		says("%s denies access (%s) and does not say which permission is missing", c.server, status)
		f.see = "denied-without-a-scope"
		f.advice = "ask the operator of the server whether your account may use it; to use another: stile login " + c.server + " --again"
	case a.status == http.StatusNotFound:
		says("there is no MCP server at %s (%s)", c.server, status)
		f.see = notMCP
		f.advice = "check the address: it must be that of the MCP endpoint, often with a path such as /mcp"
	case a.status == http.StatusMethodNotAllowed, a.status == http.StatusNotImplemented:
		says("%s does not take MCP messages (%s for %s)", c.server, status, a.method)
		f.see = notMCP
		f.advice = "check the address: it must be that of the MCP endpoint, often with a path such as /mcp or /sse"
	default:
		says("the MCP server %s refused the request (%s)", c.server, status)
		f.advice = "check the address; if it is right, tell the operator of the server"
	}
	return f
}

// redirected is the failure for a server that redirects its clients to an address
// where no MCP server answers.
func (c *client) redirected(a answer) error {
	f := &failure{code: exitPeer, party: states.PartyPeer, rule: rules.ChallengeRedirectNotAuth}
	f.advice = "if that is the server's address, use it: stile login " + a.location + "; otherwise tell the operator: a server that wants a login says so with status 401 and a challenge (RFC 9110 §15.5.2)"
	f.err = fmt.Errorf("%s answers with a redirect (HTTP status %d) to %s, where no MCP server answered", c.server, a.status, a.location)
	if a.sameOrigin {
		return f
	}
	f.err = fmt.Errorf("%s answers with a redirect (HTTP status %d) to %s, which Stile does not follow, since no token may go there", c.server, a.status, c.elsewhere(a.location))
	if to, err := url.Parse(a.location); err == nil && to.Scheme == "http" && strings.HasPrefix(c.server, "https://") {
		f.advice = "tell the operator: the server sends clients from https to http; behind a proxy it must read X-Forwarded-Proto"
	}
	return f
}

// elsewhere describes an address of another origin by the part that differs.
func (c *client) elsewhere(location string) string {
	to, err := url.Parse(location)
	from, e := url.Parse(c.server)
	switch {
	case err != nil || e != nil || !strings.EqualFold(to.Hostname(), from.Hostname()):
		return "another host, " + location
	case to.Scheme != from.Scheme:
		return "another scheme, " + location
	}
	return "another port, " + location
}

// outside is the failure for a request that would have taken the token out of its
// resource, because the server sent the client there.
func (c *client) outside(err error, redirect answer) error {
	f := &failure{code: exitPeer, party: states.PartyPeer, rule: rules.BearerBoundResource, first: inWords(err)}
	switch {
	case c.speaksSSE():
		f.err = fmt.Errorf("%s speaks HTTP+SSE (MCP 2024-11-05), and takes messages at another origin, where no token may go", c.server)
		f.advice = "use the server's address for Streamable HTTP, if it has one; otherwise tell its operator: the stream and the address for messages must have one origin"
	case redirect.location != "":
		f.err = fmt.Errorf("%s redirects to %s, which is outside the resource that the token is for", c.server, redirect.location)
		f.advice = "if that is the server's address, use it: stile login " + redirect.location + "; otherwise tell the operator of the server"
	default:
		f.err, f.first = err, ""
		f.advice = "tell the operator of the server: its metadata does not cover its own address"
	}
	return f
}

// notReached is the failure for a server that did not answer.
func notReached(server string, err error) error {
	var (
		outer   *url.Error
		dns     *net.DNSError
		record  tls.RecordHeaderError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	for errors.As(err, &outer) {
		err = outer.Err
		outer = nil
	}
	f := &failure{
		code: exitNetwork, party: states.PartyNetwork, rule: rules.HouseUnreachable,
		err: fmt.Errorf("no answer from %s: %w", server, err), advice: "check the address, and that the server is running",
	}
	at := server
	if u, e := url.Parse(server); e == nil {
		at = u.Host
	}
	switch {
	case errors.As(err, &record) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		f.code, f.party, f.rule, f.see = exitUsage, "", "", "http-or-https"
		f.err = fmt.Errorf("%s is https, but the server there speaks http", server)
		f.advice = "did you mean http" + strings.TrimPrefix(server, "https") + "?"
		if u, e := url.Parse(server); e == nil && !isLoopback(u.Hostname()) {
			f.code, f.party, f.rule = exitPeer, states.PartyPeer, rules.NetTLSVerify
			f.advice = "check the port; a server that is not on this machine must offer https"
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		f.err = fmt.Errorf("nothing listens at %s: connection refused", at)
		f.advice = "start the server, or check host and port in the address"
	case errors.As(err, &dns) && dns.IsNotFound:
		f.err = fmt.Errorf("there is no host %s", dns.Name)
		f.advice = "check the spelling of the address"
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		f.rule, f.party = rules.NetTLSVerify, states.PartyPeer
		f.advice = "check the certificate; behind a proxy that replaces certificates, name its CA with --ca-bundle FILE"
	}
	return f
}
