package peer

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states/rules"
)

// A small identity provider: ID tokens (OpenID Connect Core §2) with the code grant and
// its refresh, and token exchange (RFC 8693) of an ID token for an ID-JAG.

const (
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeIDToken   = "urn:ietf:params:oauth:token-type:id_token"
	typeIDJAG     = "urn:ietf:params:oauth:token-type:id-jag"
	openID        = "openid"
	// idTokenLife is how long an ID token is good, and idJAGLife how long an ID-JAG.
	idTokenLife = 10 * time.Minute
	idJAGLife   = 5 * time.Minute
)

// idToken says which user logged in, to the client that they logged in at.
func (a *AS) idToken(at time.Time, g *grant) string {
	h := document{{"alg", a.config.SignAlg}, {"typ", "JWT"}}
	h.add("kid", a.config.SignKeyID)
	claims := document{
		{"iss", a.config.Issuer}, {"sub", g.Subject}, {"aud", g.Client},
		{"iat", at.Unix()}, {"exp", at.Add(idTokenLife).Unix()},
	}
	switch {
	case a.faulty("id-token-expired"):
		claims.put("exp", at.Add(-idTokenLife).Unix())
	case a.faulty("id-token-aud-wrong"):
		claims.put("aud", "another-client")
	}
	return a.config.Sign(h.bytes(), claims.bytes())
}

// exchangeIdentity gives an ID-JAG for an ID token that this server made out to the same
// client.
func (a *AS) exchangeIdentity(c call, k *client) *reply {
	form := c.req.Form
	audience, resource := value(form, "audience"), all(form, "resource")
	asked, ok := scopes(value(form, "scope"))
	switch {
	case a.faulty("exchange-refused"):
		return problem(400, "invalid_request", "the policy does not allow it").breaks(rules.ExtEMAPairing)
	case !k.confidential():
		return problem(400, "unauthorized_client", "the grant is for confidential clients").breaks(rules.ExtEMAIdPClientAuth)
	case value(form, "requested_token_type") != typeIDJAG || value(form, "subject_token_type") != typeIDToken:
		return problem(400, "invalid_request", "an ID token is exchanged for an ID-JAG here, and nothing else").breaks(rules.ExtEMAExchange)
	case !sound(audience) || audience == a.config.Issuer:
		return problem(400, "invalid_target", "audience is not the issuer of another server").breaks(rules.ExtEMAAudience)
	case len(resource) > 1 || len(resource) == 1 && !sound(resource[0]):
		return problem(400, "invalid_target", "resource is not one address").breaks(rules.ExtEMAResource)
	case !ok:
		return problem(400, "invalid_scope", "the scope is not well formed").breaks(rules.ASAuthorizeScopeDefault)
	}
	subject, refused := a.judgeIDToken(c, k)
	if refused != nil {
		return refused
	}
	jti := a.draw("jti")[:22]
	if a.faulty("id-jag-replayed") {
		jti = hash(k.ID + "\x00" + audience)[:22]
	}
	h := document{{"alg", a.config.SignAlg}, {"typ", idJAGType}}
	h.add("kid", a.config.SignKeyID)
	claims := document{
		{"iss", a.config.Issuer}, {"sub", subject}, {"aud", audience}, {"client_id", k.at(audience)},
		{"iat", c.at.Unix()}, {"exp", c.at.Add(idJAGLife).Unix()}, {"jti", jti},
	}
	claims.add("resource", strings.Join(resource, ""))
	claims.add("scope", strings.Join(asked, " "))
	a.spoil(c.at, &h, &claims)
	r := &reply{status: 200}
	r.doc.put("access_token", a.config.Sign(h.bytes(), claims.bytes()))
	r.doc.put("issued_token_type", typeIDJAG)
	r.doc.put("token_type", "N_A")
	r.doc.put("expires_in", int64(idJAGLife/time.Second))
	r.doc.add("scope", strings.Join(asked, " "))
	noStore(r)
	return r
}

// spoil applies the faults of an ID-JAG before it is signed.
func (a *AS) spoil(at time.Time, h, claims *document) {
	for _, f := range []struct {
		name string
		do   func()
	}{
		{"id-jag-typ-wrong", func() { h.put("typ", "JWT") }},
		{"id-jag-aud-wrong", func() { claims.put("aud", "https://elsewhere.example") }},
		{"id-jag-expired", func() {
			claims.put("iat", at.Add(-2*time.Hour).Unix())
			claims.put("exp", at.Add(-time.Hour).Unix())
		}},
		{"id-jag-client-wrong", func() { claims.put("client_id", "another-client") }},
		{"id-jag-resource-wrong", func() { claims.put("resource", "https://elsewhere.example/mcp") }},
		{"id-jag-resource-missing", func() { claims.drop("resource") }},
	} {
		if a.faulty(f.name) {
			f.do()
		}
	}
}

// judgeIDToken finds the user of an ID token of this server.
func (a *AS) judgeIDToken(c call, k *client) (subject string, refused *reply) {
	var claims assertionClaims
	_, payload, ok := a.config.Verify(value(c.req.Form, "subject_token"), a.config.JWKS)
	ok = ok && json.Unmarshal(payload, &claims) == nil
	aud, _ := listOf(claims.Aud)
	switch {
	case !ok || claims.Iss != a.config.Issuer || claims.Sub == "":
		return "", badGrant(rules.ExtEMAExchange, "the subject token is no ID token of this server")
	case !slices.Equal(aud, []string{k.ID}):
		return "", badGrant(rules.ExtEMAExchange, "the ID token was made out to another client")
	case !c.at.Before(time.Unix(int64(claims.Exp), 0)):
		return "", badGrant(rules.ExtEMARenew, "the ID token has expired")
	}
	return claims.Sub, nil
}

// at is what the client is called at another issuer: what it is called here, unless
// another name is configured.
func (k *client) at(issuer string) string {
	if id := k.Elsewhere[issuer]; id != "" {
		return id
	}
	return k.ID
}
