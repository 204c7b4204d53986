package audit

import (
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// credentialChecks ask for tokens as a client of the operator that acts for itself.
var credentialChecks = []Check{
	{ID: "ext.cc-wrong", Rules: []rules.ID{rules.ASTokenClientAuth, rules.ClientauthJWTFresh, rules.ClientauthJWTAlg}, Severity: Critical, Safety: Login, Threat: Takeover,
		Does:   "Asks for a token by client_credentials, and then with a wrong secret; or with an assertion by another key, without a signature, from yesterday, and with one that was used before.",
		Passes: "Only the first request gives a token.",
		Why:    "Anyone who knows the client's id could act as the client.",
		Fix:    "Compare secrets; check the signature, exp and jti of each assertion (RFC 7523 §3).",
		plan:   planCredentials, judge: judgeWrongCredentials},
	{ID: "ext.cc-aud", Rules: []rules.ID{rules.ClientauthJWTAud}, Severity: High, Safety: Login, Threat: Mixup,
		Does:   "Sends assertions whose audience is the issuer, the token endpoint, both, and another server.",
		Passes: "Which of the first three are taken is told; the last one is refused.",
		Why:    "A client has to know which audience to write, and an assertion for another server must not be good here.",
		Fix:    "Take the issuer identifier, and for a while the token endpoint; refuse every other audience.",
		plan:   planCredentials, judge: judgeAssertionAudience},
	{ID: "ext.cc-no-rt", Rules: []rules.ID{rules.TokenRespCCNoRefresh}, Severity: Low, Safety: Login, Threat: Takeover,
		Does:   "Reads the answer to client_credentials.",
		Passes: "It has no refresh token.",
		Why:    "The client can ask again at any time; a second secret that lives long is only one more that can leak (RFC 6749 §4.4.3).",
		Fix:    "Issue the access token alone.",
		plan:   planCredentials, judge: judgeNoRefreshToken},
}

// probeOwn begins the labels of the requests by client_credentials.
const probeOwn = "cc."

// assertions are the wrong ones, by name. An assertion that was used before comes with
// them (planCredentials).
var assertions = []struct {
	name, says string
	change     func(e *Evidence, s *statement) (k Key, alg string)
}{
	{"foreign-key", "an assertion by another key", func(e *Evidence, _ *statement) (Key, string) { return e.Stranger, "" }},
	{"none", "an assertion that nobody signed", func(e *Evidence, _ *statement) (Key, string) { return nil, "none" }},
	{"expired", "an assertion from yesterday", func(e *Evidence, s *statement) (Key, string) {
		s.Expires, s.Issued = s.Expires-86400, s.Issued-86400
		return e.CCKey, ""
	}},
	{"aud.other", "an assertion for another server", func(e *Evidence, s *statement) (Key, string) {
		s.Audience = "https://" + canary
		return e.CCKey, ""
	}},
}

// statement is what an assertion says (RFC 7523 §3, and the claims of an ID-JAG).
type statement struct {
	Issuer   string `json:"iss,omitempty"`
	Subject  string `json:"sub,omitempty"`
	Audience any    `json:"aud,omitempty"` // a string or a list
	ClientID string `json:"client_id,omitempty"`
	Resource string `json:"resource,omitempty"`
	Scope    string `json:"scope,omitempty"`
	ID       string `json:"jti,omitempty"`
	Issued   int64  `json:"iat,omitzero"`
	Expires  int64  `json:"exp,omitzero"`
}

// signedBy makes a JWS of a statement. Without a key there is no signature; alg "" is
// that of the key.
func (s statement) signedBy(k Key, typ, alg string) string {
	named, kid := "none", ""
	if k != nil {
		named, kid = k.Named()
	}
	if alg == "" {
		alg = named
	}
	header, _ := json.Marshal(struct { // strings and numbers
		Alg string `json:"alg"`
		Typ string `json:"typ"`
		Kid string `json:"kid,omitempty"`
	}{alg, typ, kid})
	claims, _ := json.Marshal(s)
	if k == nil {
		return segment(string(header)) + "." + segment(string(claims)) + "."
	}
	return k.Sign(string(header), string(claims))
}

// ownRequest is a request by client_credentials, without the client.
func (e *Evidence) ownRequest() wire.Request {
	form := wire.Fields{{Name: "grant_type", Value: "client_credentials"}}
	for _, f := range []wire.Field{{Name: "resource", Value: e.resource()}, {Name: "scope", Value: e.scope()}} {
		if f.Value != "" {
			form = append(form, f)
		}
	}
	return wire.Request{Method: "POST", URL: e.address("token_endpoint"), Header: formFields, Form: form}
}

// asserted is a probe of the operator's client that authenticates by an assertion.
func (e *Evidence) asserted(label string, leg Leg, r wire.Request, make func(e *Evidence, s *statement) (Key, string)) Probe {
	return Probe{Label: label, Leg: leg, Request: r, Timed: func(now time.Time) wire.Request {
		s := statement{Issuer: e.Account.CCClient, Subject: e.Account.CCClient, Audience: e.audience(), ID: e.draw(label + now.UTC().String()),
			Issued: now.Unix(), Expires: now.Add(wire.AssertionLife).Unix()}
		k, alg := make(e, &s)
		out := r
		out.Form = append(r.Form[:len(r.Form):len(r.Form)], wire.Field{Name: "client_assertion_type", Value: wire.AssertionType},
			wire.Field{Name: "client_assertion", Value: s.signedBy(k, "JWT", alg), Secret: true})
		return out
	}}
}

// audience is the one that the issuer takes, as far as that is known.
func (e *Evidence) audience() string {
	if x := e.probe(probeOwn + "right"); x != nil && !gives(x) {
		return e.address("token_endpoint")
	}
	m, _ := e.home()
	return m.x.Issuer
}

// rightly makes an assertion without a mistake, to(...) one for other audiences.
func rightly(e *Evidence, _ *statement) (Key, string) { return e.CCKey, "" }

func to(audience func(issuer, endpoint string) any) func(e *Evidence, s *statement) (Key, string) {
	return func(e *Evidence, s *statement) (Key, string) {
		m, _ := e.home()
		s.Audience = audience(m.x.Issuer, e.address("token_endpoint"))
		return e.CCKey, ""
	}
}

var (
	toEndpoint = to(func(_, endpoint string) any { return endpoint })
	toBoth     = to(func(issuer, endpoint string) any { return []string{issuer, endpoint} })
)

// acting is a request of the operator's client as that client makes it: with its secret,
// or with an assertion for the audience that the issuer takes.
func (e *Evidence) acting(label string, leg Leg, r wire.Request) Probe {
	if e.CCKey == nil {
		return Probe{Label: label, Leg: leg, Request: authenticated(r, e.Account.CCClient, e.Account.CCSecret, e.secretInBody())}
	}
	return e.asserted(label, leg, r, rightly)
}

// planCredentials asks for tokens as the operator's client, rightly and wrongly.
func planCredentials(e *Evidence) []Probe {
	out := planASM(e)
	if e.Account == nil || e.Account.CCClient == "" || e.CCKey == nil && e.Account.CCSecret == "" || !answered(e, out) || e.address("token_endpoint") == "" {
		return out
	}
	ask := e.ownRequest()
	out = append(out, e.acting(probeOwn+"right", LegToken, ask))
	if e.CCKey == nil {
		return append(out, Probe{Label: probeOwn + "wrong-secret", Leg: LegToken, Request: authenticated(ask, e.Account.CCClient, madeUp, e.secretInBody())})
	}
	out = append(out, e.asserted(probeOwn+"aud.endpoint", LegToken, ask, toEndpoint), e.asserted(probeOwn+"aud.both", LegToken, ask, toBoth))
	if e.Stranger != nil {
		for _, a := range assertions {
			out = append(out, e.asserted(probeOwn+a.name, LegToken, ask, a.change))
		}
	}
	for _, label := range []string{probeOwn + "right", probeOwn + "aud.endpoint"} {
		if x := e.probe(label); x != nil && gives(x) {
			return append(out, Probe{Label: probeOwn + "replayed", Leg: LegToken, Request: x.Request})
		}
	}
	return out
}

// planOwnEnd revokes what the operator's client was given.
func planOwnEnd(e *Evidence) []Probe {
	at := ""
	if e.Account != nil && e.Account.CCClient != "" && (e.CCKey != nil || e.Account.CCSecret != "") {
		at = e.address("revocation_endpoint")
	}
	if at == "" {
		return nil
	}
	var out []Probe
	for _, x := range append(e.labelled(probeOwn), e.labelled(probeJAG)...) {
		if token, ok := e.member(x.Probe, "access_token"); ok && x.Leg == LegToken {
			out = append(out, e.acting(probeCleanup+x.Probe, LegRevoke, wire.Request{Method: "POST", URL: at, Header: formFields,
				Form: wire.Fields{{Name: "token", Value: token}, {Name: "token_type_hint", Value: "access_token"}}}))
		}
	}
	return out
}
