package guard

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"syscall"

	"github.com/stile-oauth/stile/httpdriver/internal/stack"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

type routeKey struct{}

// route is what was decided about a request before it is dialled. It travels
// in the request's context, whose values the transport keeps for its dials.
type route struct {
	proxy *url.URL
	// loopOnly: the URL is http, so the host must turn out to be loopback.
	loopOnly bool
}

// admit applies what can be judged before dialling: the URL itself, a literal
// address in it, and the choice of a proxy.
func (g *Guard) admit(r *http.Request, lv level) (*http.Request, *Error) {
	rt := &route{}
	if f := g.decide(r, lv, rt); f != nil {
		return nil, f
	}
	return r.WithContext(context.WithValue(r.Context(), routeKey{}, rt)), nil
}

// decide is admit for a request whose context has the route already.
func (g *Guard) decide(r *http.Request, lv level, rt *route) *Error {
	if f := urlPolicy(r.URL.String(), lv); f != nil {
		return f
	}
	host := r.URL.Hostname()
	local := localName(host)
	if a, err := netip.ParseAddr(host); err == nil {
		if f := g.allow.check(host, a, lv); f != nil {
			return f
		}
		local = judge(a).kind == loopback
	} else if local && lv == strict && !g.allow.allows(host, loopbackV4, netip.IPv6Loopback()) {
		return g.allow.check(host, loopbackV4, lv)
	}
	rt.loopOnly = r.URL.Scheme == "http"
	// This machine is not reached through a proxy, which would see an
	// unencrypted request, and whose own loopback is not ours.
	if g.proxy != nil && !local {
		u, err := g.proxy(r)
		if err != nil {
			return &Error{Class: ClassUnsent, Detail: "the configured proxy cannot be used", Err: err}
		}
		if rt.proxy = u; u != nil {
			if _, known := g.proxies.LoadOrStore(u.Host, true); !known {
				g.log.Info("requests go through the configured proxy, which resolves names itself; the address policy does not apply to it", "proxy", u.Host)
			}
		}
	}
	return nil
}

var loopbackV4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// localName says whether a name means this machine by RFC 6761 §6.3.
func localName(host string) bool {
	h := hostKey(host)
	return h == "localhost" || strings.HasSuffix(h, ".localhost")
}

func urlPolicy(raw string, lv level) *Error {
	if p := wire.CheckURL(raw, wire.URLPolicy{AllowLoopbackHTTP: lv != strict}); p != nil {
		return blocked(p.Rule, withoutQuery(p.Detail))
	}
	return nil
}

// withoutQuery cuts the query of a URL quoted at the end of a text: it may
// hold a state, a login hint or worse.
func withoutQuery(s string) string {
	if i := strings.IndexByte(s, '?'); i >= 0 {
		return s[:i] + `?..."`
	}
	return s
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dialer gives the dial hook of one level.
func (g *Guard) dialer(custom dialFunc, lv level) dialFunc {
	if custom != nil && reflect.ValueOf(custom).Pointer() == netDialer {
		custom = nil
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		// This goroutine ends when the connection is made. With a stack of the size that an
		// exchange waits with, it would leave gaps of that size between those that wait: a tenth
		// of the memory of a refresh.
		stack.Grow()
		rt, _ := ctx.Value(routeKey{}).(*route)
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		check := func(a netip.Addr) error {
			if rt != nil && rt.proxy != nil {
				return nil // the transport dials the operator's proxy here, nothing else
			}
			if f := g.allow.check(host, a, lv); f != nil {
				return f
			}
			if rt != nil && rt.loopOnly && judge(a).kind != loopback {
				return blocked(rules.URLLoopbackException, host+" is "+a.String()+", not loopback: http is not accepted there")
			}
			return nil
		}
		if custom != nil {
			return dialCustom(ctx, custom, network, addr, check)
		}
		d := *g.opt.Dialer
		if d.Timeout <= 0 || d.Timeout > connectTimeout {
			d.Timeout = connectTimeout
		}
		d.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return blocked(rules.NetIPPolicy, "an address that cannot be judged")
			}
			if err := check(ap.Addr()); err != nil {
				return err
			}
			switch next := g.opt.Dialer; {
			case next.ControlContext != nil:
				return next.ControlContext(ctx, network, address, c)
			case next.Control != nil:
				return next.Control(network, address, c)
			}
			return nil
		}
		return d.DialContext(ctx, network, addr)
	}
}

// dialCustom connects by the caller's own function and judges the far end
// before a byte is written. A connection without an IP address (a pipe, a Unix
// socket) is where the caller put it.
func dialCustom(ctx context.Context, dial dialFunc, network, addr string, check func(netip.Addr) error) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := dial(ctx, network, addr)
	if err != nil || conn == nil {
		return nil, err
	}
	if ta, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		if err := check(ta.AddrPort().Addr()); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// CheckVisit says whether a user's browser may be sent to a URL
// (authz-req-url-scheme, authz-req-url-host-policy): https, or http on
// loopback where loopback is true, and no private, link-local or metadata
// host. The browser resolves the name again, so for names this is a best
// effort; one that does not resolve here is left to the browser.
func (g *Guard) CheckVisit(ctx context.Context, rawURL string, loop bool) *Error {
	lv := g.level(loop)
	if f := urlPolicy(rawURL, lv); f != nil {
		return f
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return blocked(rules.URLParseStrict, "the authorization URL cannot be parsed")
	}
	admitted, f := g.admit(r, lv)
	if f != nil {
		f.Rule = visitRule(f.Rule)
		return f
	}
	rt := admitted.Context().Value(routeKey{}).(*route)
	if rt.proxy != nil {
		return nil
	}
	resolver := g.opt.Dialer.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	host := r.URL.Hostname()
	addrs, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if f := g.allow.check(host, a, lv); f != nil {
			f.Rule = visitRule(f.Rule)
			return f
		}
		if rt.loopOnly && judge(a).kind != loopback {
			return blocked(rules.URLLoopbackException, host+" is "+a.String()+", not loopback: http is not accepted there")
		}
	}
	return nil
}

// visitRule names the browser's rule for an address refusal.
func visitRule(r rules.ID) rules.ID {
	switch r {
	case rules.NetIPPolicy, rules.NetMetadataService, rules.NetEmbeddedV4:
		return rules.AuthzReqURLHostPolicy
	}
	return r
}
