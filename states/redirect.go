package states

import (
	"net/netip"
	"net/url"
	"strings"
)

// ElidePort gives a loopback redirect URI without its port, other URIs as they
// are: the port of a loopback redirect may differ between logins
// (RFC 8252 §7.3).
func ElidePort(uri string) string {
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
// the same URI, or a loopback one that differs in its port only (T5.2).
func RedirectUsable(have []string, want string) bool {
	for _, h := range have {
		if h == want || ElidePort(h) == ElidePort(want) {
			return true
		}
	}
	return len(have) == 0
}

// RedirectAllowed reports whether uri may be a redirect URI in MCP: https, or
// http on loopback; absolute, without a fragment (catalogue,
// authz-req-redirect-form and authz-req-redirect-no-fragment).
func RedirectAllowed(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Fragment != "" || strings.Contains(uri, "#") || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopbackHost(u.Hostname())
}

func loopbackHost(h string) bool {
	if strings.EqualFold(h, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(h)
	return err == nil && a.IsLoopback()
}
