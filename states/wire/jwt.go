package wire

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// jwt is what a client may read from a JWT without verifying it: the server that the
// JWT is for checks the signature.
type jwt struct {
	typ    string
	claims Object
}

// readJWT reads a JWT in compact form (RFC 7519 §7.2); ok is false if s is not one.
func readJWT(s Secret) (j jwt, ok bool) {
	parts := strings.Split(s.Reveal(), ".")
	if len(parts) != 3 {
		return j, false
	}
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err == nil {
		if obj, bad := ParseObject(head); bad == nil {
			j.typ, _, _ = obj.String("typ")
		}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return j, false
	}
	var bad error
	j.claims, bad = ParseObject(text)
	return j, bad == nil
}

// text is a claim that is a string; "" if it is absent.
func (j jwt) text(name string) string {
	s, _, _ := j.claims.String(name)
	return s
}

// list is a claim that is a string or a list of strings.
func (j jwt) list(name string) []string {
	if one, _, ok := j.claims.String(name); ok {
		return []string{one}
	}
	list, _, _ := j.claims.Strings(name)
	return list
}

// expires is when the JWT expires; ok is false if the JWT does not say.
func (j jwt) expires() (at time.Time, ok bool) {
	raw, _ := j.claims.Raw("exp")
	n, kind := rawSeconds(raw)
	if kind == numberJunk { // NumericDate may have a fraction (RFC 7519 §2)
		f, _ := strconv.ParseFloat(string(raw), 64) // 0 if it is no number
		n = int64(f)
	}
	if n == 0 { // it is no time
		return at, false
	}
	return time.Unix(n, 0), true
}

// IdentityPolicy is what an ID token is judged by: who issued it, which client it is for,
// and the current time.
type IdentityPolicy struct {
	Provider, Client string
	At               time.Time
}

// JudgeIdentity looks at an ID token (OpenID Connect Core §2) before it is kept or sent
// back to its provider, and says when it expires. The provider checks the signature: the
// token comes from the provider itself and is sent to nobody else.
//
// Rules: ext-ema-id-token-stays, ext-ema-renew.
func JudgeIdentity(idToken Secret, p IdentityPolicy) (time.Time, *Problem) {
	j, ok := readJWT(idToken)
	if !ok {
		return time.Time{}, refuse(rules.ExtEMASubjectTypes, "the ID token is no JWT whose claims can be read")
	}
	until, ok := j.expires()
	switch iss := j.text("iss"); {
	case iss != p.Provider && !oneSlashApart(iss, p.Provider):
		return until, refuse(rules.ExtEMAIDTokenStays, "the ID token is of "+quoted(iss)+", not of "+p.Provider)
	case !slices.Contains(j.list("aud"), p.Client):
		return until, refuse(rules.ExtEMAIDTokenStays, "the ID token is made out to "+quoted(JoinScope(j.list("aud")))+", not to "+p.Client)
	case !ok:
		return until, refuse(rules.ExtEMARenew, "the ID token has no exp")
	case !p.At.Before(until):
		return until, refuse(rules.ExtEMARenew, "the ID token has expired")
	}
	return until, nil
}

// GrantPolicy is what an ID-JAG is judged by: the issuer that gets it, the client as that
// issuer knows it, the resource, and the current time.
type GrantPolicy struct {
	Issuer, Client, Resource string
	At                       time.Time
}

// JudgeGrant looks at an ID-JAG before it is sent.
//
// Rules: ext-ema-jag-typ, ext-ema-jag-claims, ext-ema-resource.
func JudgeGrant(jag Secret, p GrantPolicy) ([]Finding, *Problem) {
	j, ok := readJWT(jag)
	if !ok {
		return nil, refuse(rules.ExtEMAJAGClaims, "the ID-JAG is no JWT whose claims can be read")
	}
	var found []Finding
	until, ok := j.expires()
	aud, resource := j.list("aud"), j.list("resource")
	switch client := j.text("client_id"); {
	case !strings.EqualFold(strings.TrimPrefix(j.typ, "application/"), "oauth-id-jag+jwt"):
		return nil, refuse(rules.ExtEMAJAGTyp, "the ID-JAG has the typ "+quoted(j.typ))
	case len(aud) != 1 || aud[0] != p.Issuer && !oneSlashApart(aud[0], p.Issuer):
		return nil, refuse(rules.ExtEMAJAGClaims, "the ID-JAG is made out to "+quoted(JoinScope(aud))+", not to "+p.Issuer)
	case client != p.Client:
		return nil, refuse(rules.ExtEMAJAGClaims, "the ID-JAG is for the client "+quoted(client)+", not for "+p.Client)
	case !ok:
		return nil, refuse(rules.ExtEMAJAGClaims, "the ID-JAG has no exp")
	case !p.At.Before(until):
		return nil, refuse(rules.ExtEMAJAGClaims, "the ID-JAG has expired")
	case p.Resource != "" && len(resource) == 0:
		note(&found, rules.ExtEMAResource, "the ID-JAG names no resource")
	case p.Resource != "" && !slices.Equal(resource, []string{p.Resource}):
		return nil, refuse(rules.ExtEMAResource, "the ID-JAG is for the resource "+quoted(JoinScope(resource))+", not for "+p.Resource)
	}
	return found, nil
}
