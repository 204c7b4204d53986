package wire

import "github.com/stile-oauth/stile/states/rules"

// The kinds of token that a revocation request names (RFC 7009 §2.1).
const (
	HintRefreshToken = "refresh_token"
	HintAccessToken  = "access_token"
)

// RevokeRequest builds a revocation (RFC 7009 §2.1). Form, in this order:
// token, token_type_hint (left out if hint is empty), then client_id and
// client_secret as the method requires.
//
// Rules: revoke-form-post, revoke-client-auth, revoke-jsonp-never.
func RevokeRequest(endpoint string, c Client, token Secret, hint string) Request {
	return formRequest(endpoint, c,
		Field{Name: "token", Value: token.Reveal(), Secret: true},
		Field{Name: "token_type_hint", Value: hint})
}

// JudgeRevocation judges the answer (RFC 7009 §2.2). nil means that, as far as the
// server can say, the token is gone: any 2xx, whatever its body; a token that the server
// does not know; and unsupported_token_type, after which there is nothing more to do.
// 503 means that the token is still valid.
//
// Rules: revoke-body-ignored, revoke-200-unknown, revoke-unsupported-type,
// revoke-503-retry, revoke-best-effort.
func JudgeRevocation(r Response) *Problem {
	switch {
	case r.Status >= 200 && r.Status < 300:
		return nil
	case r.Status == 503:
		return &Problem{Rule: rules.Revoke503Retry, Detail: statusDetail(r) + ": the token still lives"}
	case r.Status >= 300 && r.Status < 400:
		return refuse(rules.NetRedirectPost, statusDetail(r)+", a redirect that is not followed")
	}
	e := ParseOAuthError(r)
	if e != nil && (e.Code == CodeUnsupportedTokenType || e.Code == CodeInvalidToken) {
		return nil
	}
	return &Problem{Rule: rules.RevokeBestEffort, Detail: statusDetail(r), OAuth: e}
}
