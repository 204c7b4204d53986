package audit

import (
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// wrongExchanges are the ways in which a code is sent wrongly, by name.
var wrongExchanges = []string{"wrong-verifier", "no-verifier", "wrong-redirect", "other-resource", "other-client"}

// wrong sends the code of a grant wrongly; other is a client that the code does not
// belong to.
func (e *Evidence) wrong(grant, way, other string) wire.Request {
	r := e.right(grant)
	switch way {
	case "wrong-verifier":
		return e.exchange(grant, e.draw(grant+".another"), e.Account.RedirectURI)
	case "no-verifier":
		return e.exchange(grant, "", e.Account.RedirectURI)
	case "wrong-redirect":
		return e.exchange(grant, e.draw(grant+".verifier"), e.Account.RedirectURI+"/other")
	case "other-resource":
		r.Form = put(r.Form, "resource", "https://"+canary+"/mcp")
		return r
	}
	return as(other, r)
}

// planCode sends one code wrongly in every way, and then correctly. The other client
// also tries the refresh token. If the code was used up before its correct exchange,
// each way gets a code of its own.
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
	for _, way := range wrongExchanges {
		if way != "other-client" || other != "" {
			out = append(out, Probe{Label: "code." + way, Leg: LegToken, Request: e.wrong("code", way, other)})
		}
	}
	out = append(out, Probe{Label: "code.right", Leg: LegToken, Request: e.right("code")})
	out = append(out, planOwner(e, "code", other)...)
	if !answered(e, out) || !e.usedUp() {
		return out
	}
	own, ok := planGrant(e, "own")
	if out = append(out, own[len(own)-1]); !ok {
		return out
	}
	out = append(out, Probe{Label: "own.right", Leg: LegToken, Request: e.right("own")})
	out = append(out, planOwner(e, "own", other)...)
	if x := e.probe("own.right"); x == nil || !gives(x) {
		return out // the server refuses correct exchanges too
	}
	for _, way := range wrongExchanges[1:] { // the first one found the code unused
		if !answered(e, out) || way == "other-client" && other == "" {
			break
		}
		visit, ok := planGrant(e, way)
		if out = append(out, visit[len(visit)-1]); ok {
			out = append(out, Probe{Label: way + ".code", Leg: LegToken, Request: e.wrong(way, way, other)})
		}
	}
	return out
}

// usedUp reports whether the code of planCode did not survive until its correct
// exchange, at a server that is not known to refuse every code.
func (e *Evidence) usedUp() bool {
	right, main := e.probe("code.right"), e.probe("main.token")
	return right != nil && right.Response != nil && !gives(right) && (main == nil || main.Response == nil || gives(main))
}

// planOwner lets another client try to spend and revoke the refresh token of a grant.
// Then the token's own client looks whether the token still works.
func planOwner(e *Evidence, grant, other string) []Probe {
	r, ok := e.member(grant+".right", "refresh_token")
	if !ok {
		return nil
	}
	var out []Probe
	if other != "" {
		out = append(out, Probe{Label: grant + ".other-refresh", Leg: LegRefresh, Request: as(other, e.refreshRequest(r, ""))},
			Probe{Label: grant + ".works", Leg: LegRefresh, Request: e.refreshRequest(r, "")})
		if !answered(e, out) {
			return out
		}
		r = e.newest(grant+".right", grant+".works")
		for _, p := range e.revoke(grant+".other-revoke", r) {
			p.Request = as(other, p.Request)
			out = append(out, p)
		}
		out = append(out, Probe{Label: grant + ".still", Leg: LegRefresh, Request: e.refreshRequest(r, "")})
	}
	return append(out, e.revoke(grant+".end", e.newest(grant+".right", grant+".works", grant+".still"))...)
}

// second registers a client that nothing was granted to; "" if there is no
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

// grace is how long a spent refresh token may work after its successor was used.
const grace = 65 * time.Second

// planFamily uses a refresh token, then its successor, then the first one again.
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
	} else if gives(x) { // perhaps within a grace period
		out = append(out, Probe{Label: "family.late", Leg: LegRefresh, Request: e.refreshRequest(first, ""), NotBefore: x.At + grace})
	}
	out = append(out, Probe{Label: "family.newest", Leg: LegRefresh, Request: e.refreshRequest(third, "")})
	if r, ok := e.member("family.newest", "refresh_token"); ok {
		out = append(out, e.revoke("family.end", r)...)
	}
	return out
}

// planGrace spends one refresh token twice at the same time, as two processes would,
// and looks whether the login survives.
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

// planRevoke revokes an access token and looks when the server notices. Then it
// revokes a refresh token and looks how much that revokes.
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

// planUnasked redeems a code with a verifier that belongs to no challenge, if a request
// without a challenge may go on.
func planUnasked(e *Evidence) []Probe {
	out := append(planAuthorize(e), planMain(e)...)
	if e.Account == nil || !answered(e, out) || !e.unchallenged() {
		return out
	}
	visit, ok := planGrantFor(e, "unasked", func(q wire.Fields) wire.Fields {
		return put(put(q, "code_challenge"), "code_challenge_method")
	})
	if out = append(out, visit[len(visit)-1]); !ok {
		return out
	}
	out = append(out, Probe{Label: "unasked.token", Leg: LegToken, Request: e.right("unasked")})
	return append(out, e.revoke("unasked.end", e.newest("unasked.token"))...)
}

// unchallenged reports whether a request without a code challenge is not refused
// at once.
func (e *Evidence) unchallenged() bool {
	x := e.probe(probeAuthorize + "no-pkce")
	return x != nil && x.Response != nil && landed(x, e.Account.RedirectURI) != refused
}

// codeLife is how long after a visit its code is sent: no code lives ten minutes
// (OAuth 2.1 §4.1.2).
const codeLife = 10*time.Minute + 30*time.Second

// planLate sends a code too late, if the operator allows slow checks.
func planLate(e *Evidence) []Probe {
	if e.Account == nil || !e.Account.Slow {
		return planASM(e)
	}
	out := planMain(e) // with a code that works, the two refusals can be told apart
	if !answered(e, out) {
		return out
	}
	visit, ok := planGrant(e, "late")
	if out = append(out, visit[len(visit)-1]); !ok {
		return out
	}
	out = append(out, Probe{Label: "late.token", Leg: LegToken, Request: e.right("late"), NotBefore: e.probe("late.visit").At + codeLife})
	return append(out, e.revoke("late.end", e.newest("late.token"))...)
}
