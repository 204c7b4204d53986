package states

import "github.com/stile-oauth/stile/states/wire"

// ElidePort gives a loopback redirect URI without its port, other URIs as they
// are: the port of a loopback redirect may differ between logins
// (RFC 8252 §7.3).
func ElidePort(uri string) string {
	u, bad := wire.ParseURL(uri)
	if bad != nil || !u.Loopback() {
		return uri
	}
	return u.WithoutPort()
}

// AnyPort reports whether a redirect URI names no address in particular: a loopback one
// without a port stands for any port.
func AnyPort(uri string) bool {
	u, bad := wire.ParseURL(uri)
	return bad == nil && u.LoopbackHTTP() && u.WithoutPort() == uri
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
// http on loopback; absolute, without a fragment.
// Rules: authz-req-redirect-form, authz-req-redirect-no-fragment.
func RedirectAllowed(uri string) bool {
	return wire.CheckURL(uri, wire.URLPolicy{AllowLoopbackHTTP: true}) == nil
}
