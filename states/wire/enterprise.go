package wire

import (
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// The types of tokens in an exchange (RFC 8693 §3;
// draft-ietf-oauth-identity-assertion-authz-grant §4.3).
const (
	TypeIDToken = "urn:ietf:params:oauth:token-type:id_token"
	TypeIDJAG   = "urn:ietf:params:oauth:token-type:id-jag"
)

// ExchangeRequest asks an identity provider for an ID-JAG in exchange for one of its ID tokens.
// Form, in this order: grant_type, requested_token_type, audience, resource, scope,
// subject_token, subject_token_type, then the client's authentication.
//
// Rules: ext-ema-exchange, ext-ema-audience, ext-ema-resource, ext-ema-idp-client-auth.
func ExchangeRequest(p TokenParams, audience string) Request {
	return formRequest(p.Endpoint, p.Client,
		Field{Name: "grant_type", Value: "urn:ietf:params:oauth:grant-type:token-exchange"},
		Field{Name: "requested_token_type", Value: TypeIDJAG},
		Field{Name: "audience", Value: audience},
		Field{Name: "resource", Value: p.Resource},
		Field{Name: "scope", Value: JoinScope(p.Scopes)},
		Field{Name: "subject_token", Value: p.Assertion.Reveal(), Secret: true},
		Field{Name: "subject_token_type", Value: TypeIDToken})
}

// RedeemRequest presents an ID-JAG to the issuer that it was made for (RFC 7523 §2.1).
// Form, in this order: grant_type, assertion, scope, resource, then the client's
// authentication.
//
// Rules: ext-ema-grant.
func RedeemRequest(p TokenParams) Request {
	return p.form(
		Field{Name: "grant_type", Value: "urn:ietf:params:oauth:grant-type:jwt-bearer"},
		Field{Name: "assertion", Value: p.Assertion.Reveal(), Secret: true},
		Field{Name: "scope", Value: JoinScope(p.Scopes)},
		Field{Name: "resource", Value: p.Resource})
}

// ParseExchange judges the answer to an exchange (RFC 8693 §2.2.1): the ID-JAG, which is
// not an access token although it comes in the member access_token.
//
// Rules: ext-ema-exchange-response, ext-ema-jag-not-bearer.
func ParseExchange(r Response) (Secret, []Finding, *Problem) {
	if r.Status < 200 || r.Status > 299 {
		return "", nil, tokenRefusal(r)
	}
	var found []Finding
	obj, bad := tokenBody(r, &found)
	if bad != nil {
		return "", found, bad
	}
	if e := objectError(obj); e != nil {
		note(&found, rules.TokenRespErrorStatus, "an error response with "+statusDetail(r))
		return "", found, &Problem{Rule: rules.TokenRespErrorStatus, Detail: statusDetail(r), OAuth: e}
	}
	if !noStore(r.Header) {
		note(&found, rules.TokenRespNoStore, "no Cache-Control: no-store")
	}
	jag, _, _ := obj.String("access_token")
	issued, _, _ := obj.String("issued_token_type")
	kind, _, _ := obj.String("token_type")
	switch {
	case issued != TypeIDJAG:
		return "", found, refuse(rules.ExtEMAExchangeResponse, "the identity provider gave "+quoted(issued)+", not an ID-JAG")
	case jag == "":
		return "", found, refuse(rules.ExtEMAExchangeResponse, "the answer to the exchange holds no ID-JAG")
	case !strings.EqualFold(kind, "N_A"):
		note(&found, rules.ExtEMAExchangeResponse, "token_type is "+quoted(kind)+", not N_A")
	}
	return Secret(jag), found, nil
}
