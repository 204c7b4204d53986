package peer

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states/rules"
)

// Client authentication by a signed assertion (RFC 7523 §2.2, §3):
// private_key_jwt.

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// assertionLife is how long an assertion may be good at most, and
	// assertionSkew how far clocks may differ.
	assertionLife = 5 * time.Minute
	assertionSkew = time.Minute
)

// assertionAlgs are the algorithms that assertions may be signed with.
var assertionAlgs = []string{"EdDSA", "ES256", "RS256", "PS256"}

// assertionClaims are the claims that are checked (RFC 7523 §3).
type assertionClaims struct {
	Iss string         `json:"iss"`
	Sub string         `json:"sub"`
	Aud jsontext.Value `json:"aud"` // a string or a list
	Exp float64        `json:"exp"`
	Nbf float64        `json:"nbf"`
	Iat float64        `json:"iat"`
	Jti string         `json:"jti"`
}

// byAssertion finds the client that an assertion speaks for, and checks it.
func (a *AS) byAssertion(c call) (*client, *reply) {
	refused := func(rule rules.ID, detail string) (*client, *reply) { return nil, unauthenticated(false, rule, detail) }
	jws := value(c.req.Form, "client_assertion")
	switch {
	case value(c.req.Form, "client_secret") != "" || len(c.req.Header.Header("Authorization")) > 0:
		return nil, problem(400, "invalid_request", "the client authenticates in two ways at once").breaks(rules.ClientauthOneMethod)
	case a.config.Verify == nil:
		return refused(rules.ClientauthMethodSupported, "assertions are not accepted here")
	case value(c.req.Form, "client_assertion_type") != assertionType:
		return refused(rules.ClientauthJWTType, "client_assertion_type is not that of a JWT")
	}
	// The client that is claimed says whose keys to check the signature with.
	var claimed assertionClaims
	if _, ok := unverified(jws, &claimed); !ok {
		return refused(rules.ClientauthJWTClaims, "the assertion is not a JWT")
	}
	k := a.client(claimed.Sub)
	switch id := value(c.req.Form, "client_id"); {
	case k == nil:
		return refused(rules.ASTokenClientAuth, "the client is not known")
	case k.Method != "private_key_jwt":
		return refused(rules.ClientauthMethodFromRegistration, "the client is not registered for private_key_jwt")
	case claimed.Iss != claimed.Sub || id != "" && id != claimed.Sub:
		return refused(rules.ClientauthJWTClaims, "iss, sub and client_id are not the same")
	}
	header, payload, ok := a.config.Verify(jws, k.JWKS)
	if !ok && strings.HasSuffix(jws, ".") && a.faulty("assertion-unsigned") {
		if _, payload, ok = parts(jws); ok {
			header = []byte(`{"alg":"ES256"}`)
		}
	}
	var alg struct {
		Alg string `json:"alg"`
	}
	if !ok || json.Unmarshal(header, &alg) != nil || !slices.Contains(assertionAlgs, alg.Alg) {
		return refused(rules.ClientauthJWTAlg, "the signature is not by a key of the client, or its algorithm is not accepted")
	}
	var claims assertionClaims
	if json.Unmarshal(payload, &claims) != nil || claims.Sub != k.ID || claims.Iss != k.ID {
		return refused(rules.ClientauthJWTClaims, "the signed claims are not the ones that were looked at")
	}
	if r := a.judgeAssertion(c, k, claims); r != nil {
		return nil, r
	}
	return k, nil
}

// judgeAssertion checks audience, time and single use.
func (a *AS) judgeAssertion(c call, k *client, claims assertionClaims) *reply {
	refused := func(rule rules.ID, detail string) *reply { return unauthenticated(false, rule, detail) }
	moment := func(seconds float64) time.Time { return time.Unix(int64(seconds), 0) }
	key := "jti " + hash(k.ID + "\x00" + claims.Jti)[:32]
	switch {
	case !a.addressed(claims.Aud) && !a.faulty("assertion-any-audience"):
		return refused(rules.ClientauthJWTAud, "the audience is neither the issuer nor the token endpoint")
	case claims.Exp == 0 || claims.Jti == "":
		return refused(rules.ClientauthJWTClaims, "exp or jti is missing")
	case !c.at.Before(moment(claims.Exp).Add(assertionSkew)):
		return refused(rules.ClientauthJWTFresh, "the assertion has expired")
	case moment(claims.Exp).After(c.at.Add(assertionLife + assertionSkew)):
		return refused(rules.ClientauthJWTFresh, "the assertion lives too long")
	case max(claims.Nbf, claims.Iat) > float64(c.at.Add(assertionSkew).Unix()):
		return refused(rules.ClientauthJWTFresh, "the assertion is not valid yet")
	case a.state.counted(c.at, key) > 0 && !a.faulty("assertion-replayed"):
		return refused(rules.ClientauthJWTFresh, "the assertion was used before")
	}
	a.state.count(c.at, key, moment(claims.Exp).Sub(c.at)+assertionSkew)
	return nil
}

// addressed says that an audience names this server: its issuer, or its token
// endpoint, which many clients use.
func (a *AS) addressed(aud jsontext.Value) bool {
	var one string
	list := []string{}
	if json.Unmarshal(aud, &one) == nil {
		list = append(list, one)
	} else if json.Unmarshal(aud, &list) != nil {
		return false
	}
	endpoint := a.config.base() + a.at("/token")
	if a.faulty("assertion-aud-endpoint") {
		return slices.Contains(list, endpoint)
	}
	return slices.Contains(list, a.config.Issuer) || slices.Contains(list, otherSlash(a.config.Issuer)) || slices.Contains(list, endpoint)
}

// unverified reads header and claims of a JWS in compact form without checking
// its signature: only to find the key.
func unverified(jws string, claims *assertionClaims) (header []byte, ok bool) {
	header, payload, ok := parts(jws)
	return header, ok && json.Unmarshal(payload, claims) == nil
}

// parts are header and claims of a JWS in compact form.
func parts(jws string) (header, payload []byte, ok bool) {
	all := strings.Split(jws, ".")
	if len(all) != 3 {
		return nil, nil, false
	}
	header, err1 := base64.RawURLEncoding.DecodeString(all[0])
	payload, err2 := base64.RawURLEncoding.DecodeString(all[1])
	return header, payload, err1 == nil && err2 == nil
}
