package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// Account is what an audit logs in with. Its secrets are never kept.
type Account struct {
	// ClientID is a client of the operator; empty registers one.
	ClientID     string
	ClientSecret wire.Secret
	// RedirectURI is where the answers arrive.
	RedirectURI string
	// Scope is asked for in place of what the server names.
	Scope string
	// Seed is fresh chance of 32 bytes: state and verifiers are drawn from it.
	Seed wire.Secret
}

// draw gives a random string for a label.
func (e *Evidence) draw(label string) string {
	mac := hmac.New(sha256.New, []byte(e.Account.Seed.Reveal()))
	mac.Write([]byte(label))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// registration is the label of the one registration of an audit.
const registration = "grant.register"

// home is the issuer that the audit logs in at: the first with metadata.
func (e *Evidence) home() (document, bool) {
	for _, m := range e.reading().asm {
		if !strings.HasPrefix(m.x.Probe, probeReflect) {
			return m, true
		}
	}
	return document{}, false
}

// address gives an endpoint of the issuer, if the audit may ask it.
func (e *Evidence) address(name string) string {
	m, ok := e.home()
	if !ok {
		return ""
	}
	u, _, _ := m.obj.String(name)
	if u == "" || !e.mayFetch(u) {
		return ""
	}
	return u
}

// clientID is the client that the audit logs in as.
func (e *Evidence) clientID() string {
	if e.Account.ClientID != "" {
		return e.Account.ClientID
	}
	id, _ := e.member(registration, "client_id")
	return id
}

// member reads a string member of a JSON answer.
func (e *Evidence) member(probe, name string) (string, bool) {
	x := e.probe(probe)
	if x == nil || x.Response == nil || x.status() < 200 || x.status() > 299 {
		return "", false
	}
	obj, err := wire.ParseObject(x.Response.Body)
	if err != nil {
		return "", false
	}
	s, _, ok := obj.String(name)
	return s, ok && s != ""
}

// resource is what tokens are asked for.
func (e *Evidence) resource() string {
	for _, m := range e.reading().prm {
		if r, _, ok := m.obj.String("resource"); ok && r != "" {
			return r
		}
	}
	return ""
}

// scope is what a client would ask for: the challenge's, then the resource's.
func (e *Evidence) scope() string {
	if e.Account.Scope != "" {
		return e.Account.Scope
	}
	for _, c := range e.reading().challenges {
		for _, a := range c.all {
			if v, ok := a.Get("scope"); ok && forTokens(a) {
				return v
			}
		}
	}
	for _, m := range e.reading().prm {
		list, _, _ := m.obj.Strings("scopes_supported")
		return strings.Join(list, " ")
	}
	return ""
}

// post builds a token request of the audit's client.
func (e *Evidence) tokenRequest(endpoint string, form wire.Fields) wire.Request {
	h := formFields
	if e.Account.ClientSecret != "" {
		pair := wire.EncodeForm(wire.Fields{{Name: e.clientID()}})
		pair = strings.TrimSuffix(pair, "=") + ":" + strings.TrimPrefix(wire.EncodeForm(wire.Fields{{Name: "", Value: e.Account.ClientSecret.Reveal()}}), "=")
		h = append(h[:len(h):len(h)], wire.Field{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))})
	} else {
		form = append(form, wire.Field{Name: "client_id", Value: e.clientID()})
	}
	return wire.Request{Method: "POST", URL: endpoint, Header: h, Form: form}
}

// planGrant logs in: it registers once, visits, and stops where the code is
// there. name tells the grants of an audit apart.
func planGrant(e *Evidence, name string) ([]Probe, bool) {
	out := planASM(e)
	if e.Account == nil || !answered(e, out) {
		return out, false
	}
	authorize, token := e.address("authorization_endpoint"), e.address("token_endpoint")
	if authorize == "" || token == "" {
		return out, false
	}
	if e.Account.ClientID == "" {
		at := e.address("registration_endpoint")
		if at == "" {
			return out, false
		}
		body := `{"client_name":"stile-audit (safe to delete)","application_type":"native","redirect_uris":["` + e.Account.RedirectURI +
			`"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`
		out = append(out, Probe{Label: registration, Leg: LegRegister, Request: wire.Request{Method: "POST", URL: at,
			Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}, {Name: "Accept", Value: "application/json"}}, Body: []byte(body)}})
	}
	if e.clientID() == "" {
		return out, false
	}
	u := authorize
	for _, p := range [][2]string{{"response_type", "code"}, {"client_id", e.clientID()}, {"redirect_uri", e.Account.RedirectURI}, {"state", e.draw(name + ".state")},
		{"code_challenge", wire.S256(e.draw(name + ".verifier"))}, {"code_challenge_method", "S256"}, {"resource", e.resource()}, {"scope", e.scope()}} {
		if p[1] != "" {
			u = withQuery(u, p[0], p[1])
		}
	}
	issuer := ""
	if m, ok := e.home(); ok {
		issuer = m.x.Issuer
	}
	out = append(out, Probe{Label: name + ".visit", Leg: LegCallback, Issuer: issuer, Visit: true, Request: wire.Request{Method: "GET", URL: u}})
	return out, e.code(name) != ""
}

// code is what came back for a grant.
func (e *Evidence) code(name string) string {
	x := e.probe(name + ".visit")
	if x == nil || x.Failure != "" {
		return ""
	}
	code, _ := query(x.Request.URL).Get("code")
	return code
}

// exchange is the request that redeems the code of a grant.
func (e *Evidence) exchange(name, verifier, redirect string) wire.Request {
	form := wire.Fields{{Name: "grant_type", Value: "authorization_code"}, {Name: "code", Value: e.code(name)}, {Name: "redirect_uri", Value: redirect}}
	if verifier != "" {
		form = append(form, wire.Field{Name: "code_verifier", Value: verifier})
	}
	if r := e.resource(); r != "" {
		form = append(form, wire.Field{Name: "resource", Value: r})
	}
	return e.tokenRequest(e.address("token_endpoint"), form)
}

// right is the exchange as a client makes it.
func (e *Evidence) right(name string) wire.Request {
	return e.exchange(name, e.draw(name+".verifier"), e.Account.RedirectURI)
}

// refreshRequest spends a refresh token.
func (e *Evidence) refreshRequest(token, scope string) wire.Request {
	form := wire.Fields{{Name: "grant_type", Value: "refresh_token"}, {Name: "refresh_token", Value: token}}
	if r := e.resource(); r != "" {
		form = append(form, wire.Field{Name: "resource", Value: r})
	}
	if scope != "" {
		form = append(form, wire.Field{Name: "scope", Value: scope})
	}
	return e.tokenRequest(e.address("token_endpoint"), form)
}

// called is an MCP request with a token, as a client of 2025-11-25 begins.
func called(e *Evidence, token string) wire.Request {
	return bearer(post(e.Target, "2025-11-25", "", initialize), token)
}

// planMain is the login that the checks without harm share.
func planMain(e *Evidence) []Probe {
	out, ok := planGrant(e, "main")
	if !ok {
		return out
	}
	out = append(out, Probe{Label: "main.token", Leg: LegToken, Request: e.right("main")})
	access, ok := e.member("main.token", "access_token")
	if !ok {
		return out
	}
	query := called(e, access)
	query.Header = query.Header[:len(query.Header)-1]
	query.URL = withQuery(query.URL, "access_token", access)
	lower := called(e, access)
	lower.Header = append(lower.Header[:len(lower.Header)-1:len(lower.Header)-1], wire.Field{Name: "Authorization", Value: "bearer " + access})
	out = append(out,
		Probe{Label: "main.call", Leg: LegMCP, Request: called(e, access)},
		Probe{Label: "main.tampered", Leg: LegMCP, Request: called(e, tampered(access))},
		Probe{Label: "main.lower", Leg: LegMCP, Request: lower},
		Probe{Label: "main.query", Leg: LegMCP, Request: query})
	refresh, ok := e.member("main.token", "refresh_token")
	if !ok {
		return out
	}
	out = append(out,
		Probe{Label: "main.refresh-as-bearer", Leg: LegMCP, Request: called(e, refresh)},
		Probe{Label: "main.refreshed", Leg: LegRefresh, Request: e.refreshRequest(refresh, "")})
	next, ok := e.member("main.refreshed", "access_token")
	if !ok {
		return out
	}
	newest := refresh
	if r, ok := e.member("main.refreshed", "refresh_token"); ok {
		newest = r
	}
	out = append(out,
		Probe{Label: "main.refreshed-call", Leg: LegMCP, Request: called(e, next)},
		Probe{Label: "main.widened", Leg: LegRefresh, Request: e.refreshRequest(newest, strings.TrimSpace(e.scope()+" stile-audit:no-such-scope"))},
		Probe{Label: "main.later-call", Leg: LegMCP, Request: called(e, next)})
	if r, ok := e.member("main.widened", "refresh_token"); ok {
		newest = r
	}
	return append(out, e.revoke("main.end", newest)...)
}

// revoke gives the request that revokes a token, where there is an endpoint.
func (e *Evidence) revoke(label, token string) []Probe {
	at := e.address("revocation_endpoint")
	if at == "" || token == "" {
		return nil
	}
	return []Probe{{Label: label, Leg: LegRevoke, Request: e.tokenRequest(at, wire.Fields{{Name: "token", Value: token}, {Name: "token_type_hint", Value: "refresh_token"}})}}
}

// tampered changes one character in the last third of a token.
func tampered(token string) string {
	b := []byte(token)
	at := len(b) - 1 - len(b)/6
	if b[at] == '.' {
		at--
	}
	if b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return string(b)
}

// planCode sends one code with a wrong redirect URI, another verifier and none,
// and then as it should be.
func planCode(e *Evidence) []Probe {
	out, ok := planGrant(e, "code")
	if !ok {
		return out
	}
	out = append(out,
		Probe{Label: "code.wrong-verifier", Leg: LegToken, Request: e.exchange("code", e.draw("code.another"), e.Account.RedirectURI)},
		Probe{Label: "code.no-verifier", Leg: LegToken, Request: e.exchange("code", "", e.Account.RedirectURI)},
		Probe{Label: "code.wrong-redirect", Leg: LegToken, Request: e.exchange("code", e.draw("code.verifier"), e.Account.RedirectURI+"/other")},
		Probe{Label: "code.right", Leg: LegToken, Request: e.right("code")})
	if r, ok := e.member("code.right", "refresh_token"); ok {
		out = append(out, e.revoke("code.end", r)...)
	}
	return out
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
	out = append(out,
		Probe{Label: "family.replayed", Leg: LegRefresh, Request: e.refreshRequest(first, "")},
		Probe{Label: "family.newest", Leg: LegRefresh, Request: e.refreshRequest(third, "")})
	if r, ok := e.member("family.newest", "refresh_token"); ok {
		out = append(out, e.revoke("family.end", r)...)
	}
	return out
}

// planRevoke revokes a refresh token and looks how far it reaches.
func planRevoke(e *Evidence) []Probe {
	out, ok := planGrant(e, "revoke")
	if !ok {
		return out
	}
	out = append(out, Probe{Label: "revoke.token", Leg: LegToken, Request: e.right("revoke")})
	refresh, ok := e.member("revoke.token", "refresh_token")
	access, has := e.member("revoke.token", "access_token")
	if !ok || !has || e.address("revocation_endpoint") == "" {
		return out
	}
	out = append(out, e.revoke("revoke.done", refresh)...)
	return append(out,
		Probe{Label: "revoke.refreshed", Leg: LegRefresh, Request: e.refreshRequest(refresh, "")},
		Probe{Label: "revoke.call", Leg: LegMCP, Request: called(e, access)})
}
