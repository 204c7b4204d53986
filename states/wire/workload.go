package wire

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// WorkloadRequest exchanges a workload's assertion for a token (RFC 7523 §2.1). Form,
// in this order: grant_type, assertion, scope, resource. There is no client.
//
// Rules: ext-wif-grant, ext-wif-resource, ext-wif-no-client-id.
func WorkloadRequest(p TokenParams) Request {
	return formRequest(p.Endpoint, Client{},
		Field{Name: "grant_type", Value: "urn:ietf:params:oauth:grant-type:jwt-bearer"},
		Field{Name: "assertion", Value: p.Assertion.Reveal(), Secret: true},
		Field{Name: "scope", Value: JoinScope(p.Scopes)},
		Field{Name: "resource", Value: p.Resource})
}

// JudgeWorkload looks at a workload's assertion before it is sent: whom it is made out
// to, and whether it has expired. Its signature is the issuer's to check. audiences are
// those that will do, with one slash more or less at the end.
//
// Rules: ext-wif-aud-either, ext-wif-claims.
func JudgeWorkload(jwt Secret, audiences []string, at time.Time) *Problem {
	parts := strings.Split(jwt.Reveal(), ".")
	if len(parts) != 3 {
		return refuse(rules.ExtWIFClaims, "the workload's assertion is no JWT")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	obj, bad := ParseObject(text)
	if err != nil || bad != nil {
		return refuse(rules.ExtWIFClaims, "the claims of the workload's assertion cannot be read")
	}
	expires := int64(0)
	if raw, ok := obj.Raw("exp"); ok {
		whole, _, _ := strings.Cut(string(raw), ".") // NumericDate may have a fraction (RFC 7519 §2)
		n, kind := rawSeconds([]byte(whole))
		if kind == numberJunk || kind == numberNegative {
			n = 0
		}
		expires = n
	}
	switch {
	case expires == 0:
		return refuse(rules.ExtWIFClaims, "the workload's assertion has no exp")
	case !at.Before(time.Unix(expires, 0)):
		return refuse(rules.ExtWIFClaims, "the workload's assertion has expired")
	}
	one, _, ok := obj.String("aud")
	list := []string{one}
	if !ok {
		list, _, _ = obj.Strings("aud")
	}
	for _, a := range list {
		if slices.ContainsFunc(audiences, func(w string) bool { return a == w || oneSlashApart(a, w) }) {
			return nil
		}
	}
	return refuse(rules.ExtWIFAudEither, "the workload's assertion is made out to "+quoted(JoinScope(list))+", not to "+JoinScope(audiences))
}
