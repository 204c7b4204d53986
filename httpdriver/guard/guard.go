// Package guard carries out the HTTP exchanges that the OAuth machine asks
// for, under one policy on every hop (docs/rules.md#group-14; RFC 9728 §7.7, the
// SSRF section of MCP's security best practices).
//
//	g, err := guard.New(guard.Options{})
//	_, failure := g.Do(context.Background(), guard.Call{Request: wire.Request{Method: "GET", URL: "http://169.254.169.254/latest/meta-data"}})
//	fmt.Println(failure.Class, failure.Sent, failure.Rule)
//
// # Guarantees
//
// For [Guard.Do] and [Guard.Client]:
//
//   - https only; http to loopback where the caller says so.
//   - The address is judged when it is dialled, at every attempt, with
//     embedded IPv4 unwrapped. Private addresses need permission; link-local
//     addresses and metadata services never get it.
//   - A proxy that the operator configured is exempt from the address policy,
//     and noted in the log; it then does the resolving.
//   - No redirect is followed on POST; on GET only within the origin, at most
//     three, each checked as the first request was, and without credentials.
//   - Size of body (after decompression) and of header, time to connect and
//     time in total are bounded. No cookies. TLS 1.2 at least, verified.
//
// An [Error] says what a caller may do next: above all whether the request
// may already have been carried out.
//
// # Who should not use it
//
// A program that logs in with package httpdriver has it already.
package guard

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"sync"
	"time"

	"github.com/stile-oauth/stile/httpdriver/version"
	"github.com/stile-oauth/stile/states/rules"
)

const (
	maxHeader      = 64 << 10
	defaultBody    = 1 << 20
	defaultTimeout = 15 * time.Second
	connectTimeout = 10 * time.Second
	waitTimeout    = time.Minute
	maxHops        = 3
	// idleTimeout keeps connections for the burst of one login only. A POST on
	// a connection that its server closes at that moment is lost, and a lost
	// refresh may cost a login; common servers close after five seconds.
	idleTimeout = 4 * time.Second
	// buffer is the size of a connection's two buffers, half of what net/http has. What
	// is asked and answered here is small, and very many may wait at once.
	buffer = 1 << 10
)

var errDeadline = errors.New("guard: the total deadline of the request passed")

// Options configure a Guard. The zero value is strict and works.
type Options struct {
	// Transport gives proxies and CA bundles, for OAuth and MCP alike
	// (net-one-policy). It is cloned. A DialContext that is the caller's own
	// function is kept, and the peer address is judged once connected; instead of
	// that of a net.Dialer, the guard itself dials, with Dialer. Nil:
	// http.DefaultTransport, and with it the proxy variables of the environment.
	Transport *http.Transport
	// Wrap, when set, is given each transport of the guard, and what it returns
	// carries the requests: instrumentation goes around the transport, and the
	// address policy stays in its dialler. A wrapper that does not call the
	// transport that it was given is not guarded.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Dialer holds resolver, local address and timeout of outgoing
	// connections; nil for the defaults. Its Control hooks run after ours.
	Dialer *net.Dialer
	// AllowPrivate lists host names, addresses or CIDRs that may be reached
	// though private or loopback. It never opens link-local addresses nor
	// metadata services.
	AllowPrivate []string
	// AllowPrivateName is how a refusal names AllowPrivate, for commands that
	// show it as a flag; "" means AllowPrivate.
	AllowPrivateName string
	// AllowLoopbackHTTP accepts http to loopback, and loopback addresses, in
	// every call: right exactly when the MCP server's own address is loopback
	// http (url-loopback-exception).
	AllowLoopbackHTTP bool
	// GuardServer puts the whole address policy on Transport() too, for
	// gateways whose users are strangers to their operator.
	GuardServer bool
	// UserAgent is sent when a request names none; "" means stile/VERSION
	// (package version).
	UserAgent string
	// Logger hears of proxies in use and of redirects not followed; nil is silent.
	Logger *slog.Logger
}

// Guard is safe for concurrent use.
type Guard struct {
	opt     Options
	allow   allowList
	proxy   func(*http.Request) (*url.URL, error)
	pools   [3]*http.Transport   // by level: a connection made under one policy serves no other
	trips   [3]http.RoundTripper // the pools as Options.Wrap gave them back
	log     *slog.Logger
	proxies sync.Map // authorities already noted
}

// New builds a Guard, or says what in the options is not possible: a transport
// that does not verify TLS, or an entry of AllowPrivate that is no address.
func New(o Options) (*Guard, error) {
	if o.AllowPrivateName == "" {
		o.AllowPrivateName = "AllowPrivate"
	}
	if o.UserAgent == "" {
		o.UserAgent = version.Get().UserAgent()
	}
	if o.Dialer == nil {
		o.Dialer = &net.Dialer{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	base := o.Transport
	if base == nil {
		if dt, ok := http.DefaultTransport.(*http.Transport); ok {
			base = dt
		} else {
			base = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
		}
	}
	if c := base.TLSClientConfig; c != nil {
		if c.InsecureSkipVerify {
			return nil, errors.New("guard: the transport does not verify certificates (net-tls-verify); give a CA bundle instead")
		}
		if c.MaxVersion != 0 && c.MaxVersion < tls.VersionTLS12 {
			return nil, errors.New("guard: the transport excludes TLS 1.2 and later (net-tls-verify)")
		}
	}
	//lint:ignore SA1019 a caller's deprecated hook would take the connection past the guard
	//nolint:staticcheck // SA1019: the same, for golangci-lint
	if base.DialTLSContext != nil || base.DialTLS != nil || (base.Dial != nil && base.DialContext == nil) {
		return nil, errors.New("guard: the transport dials TLS itself (DialTLSContext, DialTLS) or by the deprecated Dial; set DialContext and TLSClientConfig instead")
	}
	allow, err := newAllowList(o.AllowPrivate, o.AllowPrivateName)
	if err != nil {
		return nil, err
	}
	g := &Guard{opt: o, allow: allow, proxy: base.Proxy, log: o.Logger}
	for lv := strict; lv <= userChosen; lv++ {
		g.pools[lv] = g.pool(base, lv)
		g.trips[lv] = g.pools[lv]
		if o.Wrap != nil {
			if g.trips[lv] = o.Wrap(g.pools[lv]); g.trips[lv] == nil {
				return nil, errors.New("guard: Wrap returned no transport")
			}
		}
	}
	return g, nil
}

// pool clones the transport for one level of the policy.
func (g *Guard) pool(base *http.Transport, lv level) *http.Transport {
	t := base.Clone()
	if base.TLSNextProto == nil || len(base.TLSNextProto) > 0 {
		t.ForceAttemptHTTP2 = true // our dial hook would otherwise turn HTTP/2 off
	}
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{}
	}
	t.TLSClientConfig.MinVersion = max(t.TLSClientConfig.MinVersion, tls.VersionTLS12)
	if t.TLSHandshakeTimeout <= 0 || t.TLSHandshakeTimeout > connectTimeout {
		t.TLSHandshakeTimeout = connectTimeout
	}
	t.DialContext = g.dialer(base.DialContext, lv)
	if lv == userChosen {
		if t.MaxResponseHeaderBytes == 0 {
			t.MaxResponseHeaderBytes = maxHeader
		}
		return t
	}
	t.MaxResponseHeaderBytes = maxHeader
	t.ReadBufferSize, t.WriteBufferSize = cmp.Or(t.ReadBufferSize, buffer), cmp.Or(t.WriteBufferSize, buffer)
	if t.IdleConnTimeout <= 0 || t.IdleConnTimeout > idleTimeout {
		t.IdleConnTimeout = idleTimeout
	}
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		rt, _ := r.Context().Value(routeKey{}).(*route)
		if rt == nil {
			return nil, errors.New("guard: request without a route")
		}
		return rt.proxy, nil
	}
	return t
}

// netDialer is the code of a net.Dialer's DialContext, by which a transport's
// hook is recognised as one.
var netDialer = reflect.ValueOf((&net.Dialer{}).DialContext).Pointer()

func (g *Guard) level(loop bool) level {
	if loop || g.opt.AllowLoopbackHTTP {
		return withLoop
	}
	return strict
}

// Transport is for the connection to the MCP server itself: the same proxies,
// CAs and connect deadlines, no limit on body or duration. The server's
// address is the user's own choice, so only metadata services are refused,
// unless Options.GuardServer asks for the whole policy.
func (g *Guard) Transport() http.RoundTripper {
	if g.opt.GuardServer {
		return &tripper{g: g, lv: g.level(false)}
	}
	return g.trips[userChosen]
}

// Client is an http.Client under the whole policy, for fetches that are no
// part of the machine (a client ID metadata document, a key set). Reading past
// 1 MiB of body is an error; a redirect that may not be followed is returned
// as the answer.
func (g *Guard) Client() *http.Client {
	return &http.Client{
		Transport: &tripper{g: g, lv: g.level(false), limit: defaultBody},
		Timeout:   defaultTimeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			first := via[0]
			if !redirectable(first.Method) || len(via) > maxHops || !sameOrigin(first.URL, r.URL) {
				return http.ErrUseLastResponse
			}
			r.Header.Del("Authorization")
			r.Header.Del("Referer")
			return nil
		},
	}
}

// CloseIdleConnections ends the connections that nothing uses.
func (g *Guard) CloseIdleConnections() {
	for _, t := range g.pools {
		t.CloseIdleConnections()
	}
}

// tripper is the policy as a RoundTripper.
type tripper struct {
	g     *Guard
	lv    level
	limit int64 // of the body; 0: none
}

func (t *tripper) RoundTrip(r *http.Request) (*http.Response, error) {
	out, f := t.g.admit(r, t.lv)
	if f != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, f
	}
	resp, err := t.g.trips[t.lv].RoundTrip(out)
	if err == nil && t.limit > 0 {
		resp.Body = &capped{ReadCloser: resp.Body, left: t.limit}
	}
	return resp, err
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the pool.
func (t *tripper) CloseIdleConnections() { t.g.pools[t.lv].CloseIdleConnections() }

// capped fails once more than its limit has been read.
type capped struct {
	io.ReadCloser
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, blocked(rules.NetSizeLimit, "the body is larger than the limit")
	}
	return n, err
}
