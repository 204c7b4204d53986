package audit

import (
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// planCode sends one code with a wrong redirect URI, another verifier and none,
// for another resource and as another client, and then as it should be. The other
// client tries the refresh token too.
func planCode(e *Evidence) []Probe {
	out, ok := planGrant(e, "code")
	if !ok {
		return out
	}
	other, second := e.second()
	out = append(out, second...)
	if !answered(e, out) {
		return out
	}
	elsewhere := e.right("code")
	elsewhere.Form = put(elsewhere.Form, "resource", "https://"+canary+"/mcp")
	out = append(out,
		Probe{Label: "code.wrong-verifier", Leg: LegToken, Request: e.exchange("code", e.draw("code.another"), e.Account.RedirectURI)},
		Probe{Label: "code.no-verifier", Leg: LegToken, Request: e.exchange("code", "", e.Account.RedirectURI)},
		Probe{Label: "code.wrong-redirect", Leg: LegToken, Request: e.exchange("code", e.draw("code.verifier"), e.Account.RedirectURI+"/other")},
		Probe{Label: "code.other-resource", Leg: LegToken, Request: elsewhere})
	if other != "" {
		out = append(out, Probe{Label: "code.other-client", Leg: LegToken, Request: as(other, e.right("code"))})
	}
	out = append(out, Probe{Label: "code.right", Leg: LegToken, Request: e.right("code")})
	r, ok := e.member("code.right", "refresh_token")
	if !ok {
		return out
	}
	if other != "" {
		out = append(out, Probe{Label: "code.other-refresh", Leg: LegRefresh, Request: as(other, e.refreshRequest(r, ""))})
		out = append(out, Probe{Label: "code.works", Leg: LegRefresh, Request: e.refreshRequest(r, "")})
		if !answered(e, out) {
			return out
		}
		r = e.newest("code.right", "code.works")
		for _, p := range e.revoke("code.other-revoke", r) {
			p.Request = as(other, p.Request)
			out = append(out, p)
		}
		out = append(out, Probe{Label: "code.still", Leg: LegRefresh, Request: e.refreshRequest(r, "")})
	}
	return append(out, e.revoke("code.end", e.newest("code.right", "code.works", "code.still"))...)
}

// second registers a client that nothing was granted to; "" where there is no
// registration.
func (e *Evidence) second() (id string, _ []Probe) {
	if e.address("registration_endpoint") == "" {
		return "", nil
	}
	id, _ = e.member("second.register", "client_id")
	return id, []Probe{e.registers("second.register", e.native())}
}

// as sends a token request as another public client.
func as(id string, r wire.Request) wire.Request {
	r.Header, r.Form = formFields, put(r.Form, "client_id", id)
	return r
}

// planReuse exchanges a code twice.
func planReuse(e *Evidence) []Probe {
	out, ok := planGrant(e, "reuse")
	if !ok {
		return out
	}
	out = append(out,
		Probe{Label: "reuse.first", Leg: LegToken, Request: e.right("reuse")},
		Probe{Label: "reuse.again", Leg: LegToken, Request: e.right("reuse")})
	if access, ok := e.member("reuse.first", "access_token"); ok {
		out = append(out, Probe{Label: "reuse.call", Leg: LegMCP, Request: called(e, access)})
	}
	if r, ok := e.member("reuse.first", "refresh_token"); ok {
		out = append(out, e.revoke("reuse.end", r)...)
	}
	return out
}

// grace is how long after its successor was used a spent refresh token may work.
const grace = 65 * time.Second

// planFamily uses a refresh token, its successor, and the first one again.
func planFamily(e *Evidence) []Probe {
	out, ok := planGrant(e, "family")
	if !ok {
		return out
	}
	out = append(out, Probe{Label: "family.token", Leg: LegToken, Request: e.right("family")})
	first, ok := e.member("family.token", "refresh_token")
	if !ok {
		return out
	}
	out = append(out, Probe{Label: "family.second", Leg: LegRefresh, Request: e.refreshRequest(first, "")})
	second, ok := e.member("family.second", "refresh_token")
	if !ok || second == first {
		return out
	}
	out = append(out, Probe{Label: "family.third", Leg: LegRefresh, Request: e.refreshRequest(second, "")})
	third, ok := e.member("family.third", "refresh_token")
	if !ok {
		return out
	}
	out = append(out, Probe{Label: "family.replayed", Leg: LegRefresh, Request: e.refreshRequest(first, "")})
	if x := e.probe("family.replayed"); x == nil {
		return out
	} else if gives(x) { // perhaps within a grace
		out = append(out, Probe{Label: "family.late", Leg: LegRefresh, Request: e.refreshRequest(first, ""), NotBefore: x.At + grace})
	}
	out = append(out, Probe{Label: "family.newest", Leg: LegRefresh, Request: e.refreshRequest(third, "")})
	if r, ok := e.member("family.newest", "refresh_token"); ok {
		out = append(out, e.revoke("family.end", r)...)
	}
	return out
}

// planGrace spends one refresh token twice at the same time, as two processes do,
// and looks whether the login lives on.
func planGrace(e *Evidence) []Probe {
	out, ok := planGrant(e, "grace")
	if !ok {
		return out
	}
	out = append(out, Probe{Label: "grace.token", Leg: LegToken, Request: e.right("grace")})
	first, ok := e.member("grace.token", "refresh_token")
	if !ok {
		return out
	}
	out = append(out, Probe{Label: "grace.race", Leg: LegRefresh, Request: e.refreshRequest(first, ""), Twice: true})
	if !answered(e, out) {
		return out
	}
	if r := e.newest("grace.race"+Second, "grace.race"); r != "" {
		out = append(out, Probe{Label: "grace.alive", Leg: LegRefresh, Request: e.refreshRequest(r, "")})
	}
	return append(out, e.revoke("grace.end", e.newest("grace.race"+Second, "grace.race", "grace.alive"))...)
}

// planRevoke revokes an access token and looks when the server notices, then a
// refresh token, and looks how far it reaches.
func planRevoke(e *Evidence) []Probe {
	out, ok := planGrant(e, "revoke")
	if !ok {
		return out
	}
	out = append(out, Probe{Label: "revoke.token", Leg: LegToken, Request: e.right("revoke")})
	refresh, ok := e.member("revoke.token", "refresh_token")
	access, has := e.member("revoke.token", "access_token")
	if !has || e.address("revocation_endpoint") == "" {
		return out
	}
	for _, p := range e.revoke("revoke.access", access) {
		p.Request.Form = put(p.Request.Form, "token_type_hint", "access_token")
		out = append(out, p)
	}
	out = append(out, Probe{Label: "revoke.access-call", Leg: LegMCP, Request: called(e, access)})
	out = append(out, e.inspects("revoke.inspected", access)...)
	if !ok || !answered(e, out) {
		return out
	}
	out = append(out, Probe{Label: "revoke.renewed", Leg: LegRefresh, Request: e.refreshRequest(refresh, "")})
	if !answered(e, out) {
		return out
	}
	refresh = e.newest("revoke.token", "revoke.renewed")
	out = append(out, e.revoke("revoke.done", refresh)...)
	out = append(out, Probe{Label: "revoke.refreshed", Leg: LegRefresh, Request: e.refreshRequest(refresh, "")})
	if next, ok := e.member("revoke.renewed", "access_token"); ok {
		out = append(out, Probe{Label: "revoke.call", Leg: LegMCP, Request: called(e, next)})
	}
	return out
}
