package states

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// ElidePort gives a loopback redirect URI without its port, other URIs as they
// are: the port of a loopback redirect may differ between logins
// (RFC 8252 §7.3).
func ElidePort(uri string) string {
	if rest, ok := usualRedirect(uri); ok {
		host, path, _ := strings.Cut(rest, "/")
		host, _, _ = strings.Cut(host, ":")
		return "http://" + host + "/" + path
	}
	u, err := url.Parse(uri)
	if err != nil || !loopbackHost(u.Hostname()) || u.Port() == "" {
		return uri
	}
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	u.Host = host
	return u.String()
}

// RedirectUsable reports whether a client registered with have may use want:
// the same URI, or a loopback one that differs in its port only (docs/decision-tables.md#t5-2).
func RedirectUsable(have []string, want string) bool {
	for _, h := range have {
		if h == want || ElidePort(h) == ElidePort(want) {
			return true
		}
	}
	return len(have) == 0
}

// RedirectAllowed reports whether uri may be a redirect URI in MCP: https, or
// http on loopback; absolute, without a fragment (rules
// authz-req-redirect-form and authz-req-redirect-no-fragment).
func RedirectAllowed(uri string) bool {
	if _, ok := usualRedirect(uri); ok {
		return true
	}
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Fragment != "" || strings.Contains(uri, "#") || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopbackHost(u.Hostname())
}

// usualRedirect gives what follows http:// in a redirect URI of the usual form,
// such as http://127.0.0.1:39323/callback: a loopback host that is no IPv6
// address, and a path of letters, digits, hyphens and slashes. It needs no
// further parsing.
func usualRedirect(uri string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(uri, "http://")
	if !ok || strings.IndexByte(rest, '/') < 0 {
		return "", false
	}
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '/', c == '-', c == '.', c == ':':
		default:
			return "", false
		}
	}
	return rest, wire.IsLoopbackHTTP(uri)
}

func loopbackHost(h string) bool {
	if strings.EqualFold(h, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(h)
	return err == nil && a.IsLoopback()
}
