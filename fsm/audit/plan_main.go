package audit

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// planMain is the login that the harmless checks share: first the access token is used
// and misused, then the refresh token, and at the end both are revoked.
func planMain(e *Evidence) []Probe { return e.planned(4, makeMain) }

func makeMain(e *Evidence) []Probe {
	out, ok := planGrant(e, "main")
	if !ok {
		return out
	}
	out = append(out, Probe{Label: "main.token", Leg: LegToken, Request: e.right("main")})
	access, ok := e.member("main.token", "access_token")
	if !ok {
		return out
	}
	out = append(out, uses(e, access)...)
	if !answered(e, out) {
		return out
	}
	if more := e.crossing(); len(more) > 0 {
		if out = append(out, more...); !answered(e, out) {
			return out
		}
	}
	refresh, ok := e.member("main.token", "refresh_token")
	if ok {
		out = append(out, refreshes(e, refresh)...)
		if !answered(e, out) {
			return out
		}
	}
	if p, ok := e.expired(access); ok {
		out = append(out, p)
	}
	return append(out, e.revoke("main.end", e.newest("main.token", "main.refreshed", "main.widened", "main.no-resource", "main.other-resource"))...)
}

// uses sends the access token of the login correctly, and in ways in which it should
// not be let in.
func uses(e *Evidence, access string) []Probe {
	mcp := func(name string, r wire.Request) Probe { return Probe{Label: "main." + name, Leg: LegMCP, Request: r} }
	query := post(e.Target, "2025-11-25", "", initialize)
	query.URL = withQuery(query.URL, "access_token", access)
	list := post(e.Target, "2025-11-25", "", listTools)
	out := []Probe{
		mcp("call", called(e, access)),
		mcp("tampered", called(e, tampered(access))),
		mcp("lower", with(post(e.Target, "2025-11-25", "", initialize), "Authorization", "bearer "+access)),
		mcp("query", query),
		mcp("origin", with(called(e, access), "Origin", "https://"+canary)),
		mcp("stale", with(bearer(list, access), "Mcp-Session-Id", "stile-audit-no-such-session")),
	}
	if x := e.probe("main.call"); x != nil && len(x.got("Mcp-Session-Id")) == 1 {
		session := x.got("Mcp-Session-Id")[0]
		out = append(out, mcp("session.bare", with(list, "Mcp-Session-Id", session)),
			mcp("session.other", with(bearer(list, madeUp), "Mcp-Session-Id", session)))
	}
	if refresh, ok := e.member("main.token", "refresh_token"); ok {
		out = append(out, mcp("refresh-as-bearer", called(e, refresh)))
	}
	if id, ok := e.member("main.token", "id_token"); ok {
		out = append(out, mcp("id-token", called(e, id)))
	}
	if e.Account.Tool != "" {
		out = append(out, mcp("tool", e.calls(access)))
	}
	return append(out, e.inspects("main.inspected", access)...)
}

// refreshes spends refresh tokens: first correctly, then with a scope that was never
// granted, without a resource, and for another resource.
func refreshes(e *Evidence, refresh string) []Probe {
	out := []Probe{{Label: "main.refreshed", Leg: LegRefresh, Request: e.refreshRequest(refresh, "")}}
	next, ok := e.member("main.refreshed", "access_token")
	if !ok {
		return out
	}
	out = append(out,
		Probe{Label: "main.refreshed-call", Leg: LegMCP, Request: called(e, next)},
		Probe{Label: "main.widened", Leg: LegRefresh, Request: e.refreshRequest(e.newest("main.token", "main.refreshed"), strings.TrimSpace(e.scope()+" stile-audit:no-such-scope"))},
		Probe{Label: "main.later-call", Leg: LegMCP, Request: called(e, next)})
	bare := e.refreshRequest(e.newest("main.token", "main.refreshed", "main.widened"), "")
	bare.Form = put(bare.Form, "resource")
	out = append(out, Probe{Label: "main.no-resource", Leg: LegRefresh, Request: bare})
	if access, ok := e.member("main.no-resource", "access_token"); ok {
		out = append(out, Probe{Label: "main.no-resource-call", Leg: LegMCP, Request: called(e, access)})
	}
	foreign := e.refreshRequest(e.newest("main.token", "main.refreshed", "main.widened", "main.no-resource"), "")
	foreign.Form = put(foreign.Form, "resource", "https://"+canary+"/mcp")
	return append(out, Probe{Label: "main.other-resource", Leg: LegRefresh, Request: foreign})
}

// newest is the refresh token from the last of these answers that has one.
func (e *Evidence) newest(probes ...string) string {
	token := ""
	for _, p := range probes {
		if t, ok := e.member(p, "refresh_token"); ok {
			token = t
		}
	}
	return token
}

// calls is a call of the tool that the operator named.
func (e *Evidence) calls(token string) wire.Request {
	return bearer(post(e.Target, "2025-11-25", "", `{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":`+strconv.Quote(e.Account.Tool)+`,"arguments":{}}}`), token)
}

// maxExpiry is how long an audit waits for a token to expire.
const maxExpiry = 2 * time.Hour

// expired uses a token a minute after it has expired, if the operator allows slow checks.
func (e *Evidence) expired(access string) (Probe, bool) {
	x := e.probe("main.token")
	if !e.Account.Slow || x == nil || x.Response == nil {
		return Probe{}, false
	}
	obj, err := wire.ParseObject(x.Response.Body)
	if err != nil {
		return Probe{}, false
	}
	raw, _ := obj.Raw("expires_in")
	n, err := strconv.Atoi(string(raw))
	life := time.Duration(n) * time.Second
	if err != nil || n < 0 || life > maxExpiry {
		return Probe{}, false
	}
	return Probe{Label: "main.expired", Leg: LegMCP, Request: called(e, access), NotBefore: x.At + life + time.Minute}, true
}

// inspects asks the introspection endpoint about a token, as the client that may call it.
func (e *Evidence) inspects(label, token string) []Probe {
	endpoint := e.address("introspection_endpoint")
	if endpoint == "" || e.Account.IntrospectID == "" {
		return nil
	}
	return []Probe{{Label: label, Leg: LegIntrospect, Request: wire.Request{Method: "POST", URL: endpoint,
		Header: append(formFields[:len(formFields):len(formFields)], basic(e.Account.IntrospectID, e.Account.IntrospectSecret)),
		Form:   wire.Fields{{Name: "token", Value: token}}}}}
}

// basic authenticates a client (RFC 6749 §2.3.1).
func basic(id string, secret wire.Secret) wire.Field {
	encoded := func(s string) string { return strings.TrimPrefix(wire.EncodeForm(wire.Fields{{Value: s}}), "=") }
	return wire.Field{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(encoded(id)+":"+encoded(secret.Reveal())))}
}

// planStep calls the tool, logs in with the scopes that the refusal names together
// with those that are held, and calls the tool again.
func planStep(e *Evidence) []Probe {
	out := planMain(e)
	if !answered(e, out) || e.Account == nil || e.Account.Tool == "" {
		return out
	}
	x := e.probe("main.tool")
	if x == nil || x.Response == nil || x.status() != 403 {
		return out
	}
	_, scope := demanded(x)
	if scope == "" {
		return out
	}
	step, ok := planGrantFor(e, "step", func(q wire.Fields) wire.Fields {
		return put(q, "scope", union(e.scope(), scope))
	})
	out = append(out, step[len(step)-1])
	if !ok {
		return out
	}
	out = append(out, Probe{Label: "step.token", Leg: LegToken, Request: e.right("step")})
	if access, ok := e.member("step.token", "access_token"); ok {
		out = append(out, Probe{Label: "step.tool", Leg: LegMCP, Request: e.calls(access)})
	}
	return append(out, e.revoke("step.end", e.newest("step.token"))...)
}

// union joins two lists of scopes.
func union(a, b string) string {
	out := wire.ParseScope(a)
	return strings.Join(append(out, wire.Missing(out, wire.ParseScope(b))...), " ")
}

// demanded reads the challenge of a refusal: its error and its scopes.
func demanded(x *Exchange) (code, scope string) {
	all, _ := wire.ParseChallenges(x.Response.Header)
	for _, a := range all {
		if forTokens(a) {
			code, _ = a.Get("error")
			scope, _ = a.Get("scope")
			return code, scope
		}
	}
	return "", ""
}

// planOther gets a token for another resource of the same issuer and shows it to
// the server.
func planOther(e *Evidence) []Probe {
	if e.Account == nil || e.Account.Other == "" {
		return planASM(e)
	}
	out, ok := planGrantFor(e, "other", func(q wire.Fields) wire.Fields { return put(q, "resource", e.Account.Other) })
	if !ok {
		return out
	}
	redeem := e.right("other")
	redeem.Form = put(redeem.Form, "resource", e.Account.Other)
	out = append(out, Probe{Label: "other.token", Leg: LegToken, Request: redeem})
	if access, ok := e.member("other.token", "access_token"); ok {
		out = append(out, Probe{Label: "other.call", Leg: LegMCP, Request: called(e, access)})
	}
	return append(out, e.revoke("other.end", e.newest("other.token"))...)
}

// planBare logs in without naming a resource.
func planBare(e *Evidence) []Probe {
	out, ok := planGrantFor(e, "bare", func(q wire.Fields) wire.Fields { return put(q, "resource") })
	if !ok {
		return out
	}
	redeem := e.right("bare")
	redeem.Form = put(redeem.Form, "resource")
	out = append(out, Probe{Label: "bare.token", Leg: LegToken, Request: redeem})
	if access, ok := e.member("bare.token", "access_token"); ok {
		out = append(out, Probe{Label: "bare.call", Leg: LegMCP, Request: called(e, access)})
	}
	return append(out, e.revoke("bare.end", e.newest("bare.token"))...)
}
