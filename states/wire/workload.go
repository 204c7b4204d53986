package wire

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// WorkloadRequest exchanges a workload's assertion for a token (RFC 7523 §2.1). Form,
// in this order: grant_type, assertion, scope, resource. There is no client.
//
// Rules: ext-wif-grant, ext-wif-resource, ext-wif-no-client-id.
func WorkloadRequest(p TokenParams) Request {
	p.Client = Client{}
	return p.form(
		Field{Name: "grant_type", Value: "urn:ietf:params:oauth:grant-type:jwt-bearer"},
		Field{Name: "assertion", Value: p.Assertion.Reveal(), Secret: true},
		Field{Name: "scope", Value: JoinScope(p.Scopes)},
		Field{Name: "resource", Value: p.Resource})
}

// JudgeWorkload looks at a workload's assertion before it is sent: who it was made for,
// and whether it has expired. The issuer checks the signature. audiences are the accepted
// audiences; one slash more or less at the end does not matter.
//
// Rules: ext-wif-aud-either, ext-wif-claims.
func JudgeWorkload(assertion Secret, audiences []string, at time.Time) *Problem {
	j, ok := readJWT(assertion)
	if !ok {
		return refuse(rules.ExtWIFClaims, "the workload's assertion is no JWT whose claims can be read")
	}
	until, ok := j.expires()
	switch {
	case !ok:
		return refuse(rules.ExtWIFClaims, "the workload's assertion has no exp")
	case !at.Before(until):
		return refuse(rules.ExtWIFClaims, "the workload's assertion has expired")
	}
	list := j.list("aud")
	for _, a := range list {
		if slices.ContainsFunc(audiences, func(w string) bool { return a == w || oneSlashApart(a, w) }) {
			return nil
		}
	}
	return refuse(rules.ExtWIFAudEither, "the workload's assertion is made out to "+quoted(JoinScope(list))+", not to "+JoinScope(audiences))
}
