package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// Account is what an audit logs in with. Its secrets are never kept.
type Account struct {
	// ClientID is a client of the operator; if empty, a client is registered.
	ClientID     string      `json:"client_id,omitempty"`
	ClientSecret wire.Secret `json:"-"`
	// RedirectURI is where the answers arrive.
	RedirectURI string `json:"redirect_uri"`
	// Scope is asked for in place of the scopes that the server names.
	Scope string `json:"scope,omitempty"`
	// Resource is what tokens are asked for if no resource metadata says it.
	Resource string `json:"resource,omitempty"`
	// Other is another resource of the same issuer: a token for it must not open
	// the target.
	Other string `json:"other_resource,omitempty"`
	// Tool is a tool that does no harm and needs more scopes than the login has.
	Tool string `json:"tool,omitempty"`
	// IntrospectID is a client that may call the introspection endpoint.
	IntrospectID     string      `json:"introspect_client,omitempty"`
	IntrospectSecret wire.Secret `json:"-"`
	// CCClient is a client that may use client_credentials; its key is in the evidence.
	CCClient string      `json:"cc_client,omitempty"`
	CCSecret wire.Secret `json:"-"`
	// IdP is an identity provider, and Workload an issuer of assertions about workloads,
	// that the issuer trusts; each with the subject of its assertions.
	IdP             string `json:"idp,omitempty"`
	IdPSubject      string `json:"idp_subject,omitempty"`
	Workload        string `json:"workload_issuer,omitempty"`
	WorkloadSubject string `json:"workload_subject,omitempty"`
	// Private is a host name of the operator that leads into a private network.
	Private string `json:"private_host,omitempty"`
	// Consent says that the user is there for visits at which nobody consents, and
	// Another that a second user is there to log in.
	Consent bool `json:"consent,omitzero"`
	Another bool `json:"another,omitzero"`
	// Slow waits until a token has expired.
	Slow bool `json:"slow,omitzero"`
	// Seed is 32 fresh random bytes: state and verifiers are drawn from it.
	Seed wire.Secret `json:"-"`
}

// draw gives a random string for a label.
func (e *Evidence) draw(label string) string {
	mac := hmac.New(sha256.New, []byte(e.Account.Seed.Reveal()))
	mac.Write([]byte(label))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// registration is the label of an audit's only registration.
const registration = "grant.register"

// home is the issuer that the audit logs in at: the first one with metadata.
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
	r := e.reading()
	if u, ok := r.addresses[name]; ok {
		return u
	}
	m, ok := e.home()
	if !ok {
		return ""
	}
	u, _, _ := m.obj.String(name)
	if u != "" && !e.mayFetch(u) {
		u = ""
	}
	r.addresses[name] = u
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
	r := e.reading()
	obj, known := r.objects[probe]
	if !known {
		obj, _ = wire.ParseObject(x.Response.Body) // what is no object has no members
		r.objects[probe] = obj
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
	if e.Account != nil {
		return e.Account.Resource
	}
	return ""
}

// scope is what a client would ask for: the challenge's scopes, or else the
// resource's.
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

// tokenRequest builds a request of the audit's client.
func (e *Evidence) tokenRequest(endpoint string, form wire.Fields) wire.Request {
	r := wire.Request{Method: "POST", URL: endpoint, Header: formFields, Form: form}
	if e.Account.ClientSecret != "" {
		return authenticated(r, e.clientID(), e.Account.ClientSecret, e.secretInBody())
	}
	r.Form = append(r.Form, wire.Field{Name: "client_id", Value: e.clientID()})
	return r
}

// secretInBody reports whether the issuer accepts a secret only in the form.
func (e *Evidence) secretInBody() bool {
	m, _ := e.home()
	methods, _, _ := m.obj.Strings("token_endpoint_auth_methods_supported")
	return slices.Contains(methods, "client_secret_post") && !slices.Contains(methods, "client_secret_basic")
}

// planGrant logs in: it registers once, visits, and stops when it has the code. name
// tells the grants of an audit apart.
func planGrant(e *Evidence, name string) ([]Probe, bool) {
	return planGrantFor(e, name, func(q wire.Fields) wire.Fields { return q })
}

// planGrantFor logs in with a changed request.
func planGrantFor(e *Evidence, name string, change func(wire.Fields) wire.Fields) ([]Probe, bool) {
	out, ok := planRegistered(e)
	if !ok {
		return out, false
	}
	authorize, token := e.address("authorization_endpoint"), e.address("token_endpoint")
	if authorize == "" || token == "" {
		return out, false
	}
	u := at(authorize, change(e.question(name)))
	issuer := ""
	if m, ok := e.home(); ok {
		issuer = m.x.Issuer
	}
	out = append(out, Probe{Label: name + ".visit", Leg: LegCallback, Issuer: issuer, Visit: true, Request: wire.Request{Method: "GET", URL: u}})
	return out, e.code(name) != ""
}

// code is the code that came back for a grant.
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

// right is the exchange as a client should make it.
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

// called is an MCP request with a token, the one that a client of 2025-11-25 begins with.
func called(e *Evidence, token string) wire.Request {
	return bearer(post(e.Target, "2025-11-25", "", initialize), token)
}

// revoke gives the request that revokes a token, if there is an endpoint for that.
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
