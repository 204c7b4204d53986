package peer

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// The jwt-bearer grant (RFC 7523 §2.1): a token for the assertion of a trusted issuer
// about a user (an ID-JAG, made out to a client) or about a workload.

const (
	bearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	idJAGType   = "oauth-id-jag+jwt"
	// idJAGProfile is what metadata calls the grant (draft-ietf-oauth-identity-assertion-authz-grant §7.2).
	idJAGProfile = "urn:ietf:params:oauth:grant-profile:id-jag"
)

// Trusted is an issuer whose assertions the jwt-bearer grant takes.
type Trusted struct {
	Issuer string
	// JWKS holds its public keys (RFC 7517); empty: the server fetches them
	// (NeedsKeys, LearnKeys).
	JWKS []byte
	// Workloads accepts its assertions about workloads instead of ID-JAGs.
	Workloads bool
}

// issuerKeys are the keys of a trusted issuer that were fetched.
type issuerKeys struct {
	Issuer string         `json:"issuer"`
	JWKS   jsontext.Value `json:"jwks"`
	Fresh  time.Time      `json:"fresh"`
}

// keysLife is how long fetched keys are used without fetching them again.
const keysLife = 5 * time.Minute

// bearerClaims are the claims of an assertion that are checked.
type bearerClaims struct {
	assertionClaims
	ClientID string         `json:"client_id"`
	Resource jsontext.Value `json:"resource"` // a string or a list
	Scope    string         `json:"scope"`
}

// trusted finds a trusted issuer, with the keys that are known of it.
func (a *AS) trusted(issuer string) *Trusted {
	for _, t := range a.config.Trusted {
		if t.Issuer != issuer {
			continue
		}
		if len(t.JWKS) == 0 {
			if i := latest(a.state.Keys, func(k *issuerKeys) bool { return k.Issuer == issuer }); i >= 0 {
				t.JWKS = a.state.Keys[i].JWKS
			}
		}
		return &t
	}
	return nil
}

// NeedsKeys names the trusted issuer whose keys a request needs, if they are unknown
// or too old. The server fetches them, gives them to LearnKeys, and then calls
// Answer.
func (a *AS) NeedsKeys(at time.Time, req wire.Request) string {
	var claims assertionClaims
	if value(req.Form, "grant_type") != bearerGrant {
		return ""
	}
	if _, ok := unverified(value(req.Form, "assertion"), &claims); !ok {
		return ""
	}
	for _, t := range a.config.Trusted {
		if t.Issuer != claims.Iss || len(t.JWKS) > 0 {
			continue
		}
		if i := latest(a.state.Keys, func(k *issuerKeys) bool { return k.Issuer == t.Issuer }); i < 0 || !at.Before(a.state.Keys[i].Fresh) {
			return t.Issuer
		}
	}
	return ""
}

// LearnKeys keeps the keys of a trusted issuer.
func (a *AS) LearnKeys(at time.Time, issuer string, jwks []byte) {
	if a.trusted(issuer) == nil || !jsontext.Value(jwks).IsValid() {
		return
	}
	a.state.Keys = slices.DeleteFunc(a.state.Keys, func(k issuerKeys) bool { return k.Issuer == issuer })
	a.state.Keys = append(a.state.Keys, issuerKeys{Issuer: issuer, JWKS: slices.Clone(jwks), Fresh: at.Add(keysLife)})
}

// fromWorkload reports whether a request presents a workload's assertion: there is no
// client.
func (a *AS) fromWorkload(c call) bool {
	if value(c.req.Form, "grant_type") != bearerGrant || len(c.req.Header.Header("Authorization")) > 0 {
		return false
	}
	_, named := c.req.Form.Get("client_id")
	_, signed := c.req.Form.Get("client_assertion")
	return !named && !signed && slices.ContainsFunc(a.config.Trusted, func(t Trusted) bool { return t.Workloads })
}

// forWorkload gives a token for a workload's assertion.
func (a *AS) forWorkload(c call) *reply {
	claims, _, refused := a.judgeBearer(c, true)
	if refused != nil {
		return refused
	}
	return a.forAssertion(c, grant{Client: claims.Sub, Subject: claims.Sub}, a.config.Scopes, all(c.req.Form, "resource"))
}

// redeem gives a token for an ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant §4.4).
func (a *AS) redeem(c call, k *client) *reply {
	claims, target, refused := a.judgeBearer(c, false)
	if refused != nil {
		return refused
	}
	if claims.ClientID != k.ID && !a.faulty("jag-client-unchecked") {
		return badGrant(rules.ExtEMAClientMatch, "the assertion was made out for another client")
	}
	asked := all(c.req.Form, "resource")
	switch {
	case len(target) == 0:
		target = asked
	case (len(target) > 1 || len(asked) > 0 && !slices.Equal(asked, target)) && a.faulty("jag-resource-unchecked"):
		target = asked
	case len(target) > 1, len(asked) > 0 && !slices.Equal(asked, target):
		return badGrant(rules.ExtEMAResourceMatch, "the assertion is for another resource")
	}
	may, ok := scopes(claims.Scope)
	if !ok {
		return badGrant(rules.ExtEMAScopeIntersection, "the scope of the assertion is not well formed")
	}
	if len(may) == 0 {
		may = a.config.Scopes
	}
	k.Used = true
	return a.forAssertion(c, grant{Client: k.ID, Subject: claims.Sub}, may, target)
}

// forAssertion gives a token without a refresh token (rule ext-ema-no-refresh): for the
// resource, with those of the requested scopes that the assertion allows and the server
// has.
func (a *AS) forAssertion(c call, g grant, may, target []string) *reply {
	asked, ok := scopes(value(c.req.Form, "scope"))
	if !ok {
		return problem(400, "invalid_scope", "the scope is not well formed").breaks(rules.ASAuthorizeScopeDefault)
	}
	if len(asked) == 0 {
		asked = may
	}
	granted := slices.DeleteFunc(slices.Clone(asked), func(s string) bool { return !slices.Contains(may, s) || !slices.Contains(a.config.Scopes, s) })
	if len(granted) == 0 && len(a.config.Scopes) > 0 {
		return problem(400, "invalid_scope", "none of the scopes is allowed here").breaks(rules.ExtEMAScopeIntersection)
	}
	if g.Resource, ok = a.config.audience(target); !ok {
		return problem(400, "invalid_target", "tokens for this resource are not issued here").breaks(rules.ExtEMAResourceMatch)
	}
	g.ID, g.Scopes = "grant_"+a.draw("grant")[:22], granted
	a.state.Grants = append(a.state.Grants, g)
	return a.issue(c.at, &a.state.Grants[len(a.state.Grants)-1], granted, false)
}

// judgeBearer checks an assertion: who signed it and how, whom it is made out to, when
// it is good, and that it comes for the first time. resource is the claim of that name.
func (a *AS) judgeBearer(c call, workload bool) (claims bearerClaims, resource []string, refused *reply) {
	bad := func(rule rules.ID, says string) (bearerClaims, []string, *reply) {
		return claims, nil, badGrant(rule, says)
	}
	jws := value(c.req.Form, "assertion")
	var claimed assertionClaims
	_, read := unverified(jws, &claimed)
	switch {
	case jws == "":
		return claims, nil, missing(rules.ExtEMAGrant, "assertion")
	case !read:
		return bad(rules.ExtEMAJAGClaims, "the assertion is not a JWT")
	}
	// The issuer that is claimed says whose keys to check the signature with.
	t := a.trusted(claimed.Iss)
	if t == nil || t.Workloads != workload {
		return bad(rules.ExtEMASignature, "the assertion's issuer is not trusted here")
	}
	lax := func(about string) bool {
		if workload {
			return a.faulty("workload-" + about + "-unchecked")
		}
		return a.faulty("jag-" + about + "-unchecked")
	}
	header, payload, ok := a.config.Verify(jws, t.JWKS)
	var h struct {
		Alg string `json:"alg"`
		Typ string `json:"typ"`
	}
	if !ok && lax("signature") {
		if header, payload, ok = parts(jws); ok {
			header = []byte(strings.Replace(string(header), `"none"`, `"ES256"`, 1))
		}
	}
	if !ok || json.Unmarshal(header, &h) != nil || !slices.Contains(assertionAlgs, h.Alg) {
		return bad(rules.ExtEMASignature, "the signature is not by a key of the issuer, or its algorithm is not accepted")
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Iss != t.Issuer {
		return bad(rules.ExtEMAJAGClaims, "the signed claims are not the ones that were looked at")
	}
	resource, listed := listOf(claims.Resource)
	aud, _ := listOf(claims.Aud)
	moment := func(seconds float64) time.Time { return time.Unix(int64(seconds), 0) }
	key := "assertion " + hash(claims.Iss + "\x00" + claims.Jti)[:32]
	switch {
	case !workload && !strings.EqualFold(h.Typ, idJAGType) && !lax("typ"):
		return bad(rules.ExtEMAJAGTyp, "the assertion's typ is not "+idJAGType)
	case !workload && (len(aud) != 1 || aud[0] != a.config.Issuer && aud[0] != otherSlash(a.config.Issuer)) && !lax("aud"):
		return bad(rules.ExtEMAAudSingle, "the audience is not this issuer alone")
	case workload && !a.addressed(claims.Aud) && !lax("aud"):
		return bad(rules.ExtWIFClaims, "the audience is neither the issuer nor the token endpoint")
	case claims.Sub == "" || claims.Exp == 0 && !lax("exp") || claims.Jti == "" || !workload && claims.Iat == 0:
		return bad(rules.ExtEMAJAGClaims, "sub, exp, iat or jti is missing")
	case !c.at.Before(moment(claims.Exp).Add(assertionSkew)) && !lax("exp"):
		return bad(rules.ExtEMAJAGClaims, "the assertion has expired")
	case max(claims.Nbf, claims.Iat) > float64(c.at.Add(assertionSkew).Unix()):
		return bad(rules.ExtEMAJAGClaims, "the assertion is not valid yet")
	case !listed:
		return bad(rules.ExtEMAResourceMatch, "the resource of the assertion is not well formed")
	case !workload && a.state.counted(c.at, key) > 0 && !lax("jti"):
		return bad(rules.ExtEMAReplay, "the assertion was used before")
	}
	if !workload { // a platform replaces its assertions when it likes
		a.state.count(c.at, key, moment(claims.Exp).Sub(c.at)+assertionSkew)
	}
	return claims, resource, nil
}

// listOf reads a claim that is a string or a list of strings; one that is not there is
// an empty list.
func listOf(v jsontext.Value) (list []string, ok bool) {
	var one string
	switch {
	case len(v) == 0:
		return nil, true
	case json.Unmarshal(v, &one) == nil:
		return []string{one}, true
	}
	return list, json.Unmarshal(v, &list) == nil
}
