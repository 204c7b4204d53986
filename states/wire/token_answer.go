package wire

import (
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// Token is a successful token response (OAuth 2.1 §3.2.3).
type Token struct {
	AccessToken  Secret   `json:"access_token"`
	Type         string   `json:"type"` // "Bearer" or "DPoP"
	RefreshToken Secret   `json:"refresh_token,omitempty"`
	Scopes       []string `json:"scopes,omitempty"`
	HasScope     bool     `json:"has_scope,omitzero"` // false: as requested
	// ExpiresIn counts from receipt; it is meaningful only with HasExpiry.
	ExpiresIn time.Duration `json:"expires_in,omitzero"`
	HasExpiry bool          `json:"has_expiry,omitzero"` // false: unknown
}

// TokenPolicy names the deviations of a provider that are accepted.
type TokenPolicy struct {
	CommaScope      bool // quirk comma-scope
	SlackAuthedUser bool // quirk slack-authed-user
	SlackTokenType  bool // quirk slack-token-type
	DPoP            bool // a DPoP-bound token is wanted
	Bound           bool // only a DPoP-bound token is accepted
	// Identity is set for a login at an identity provider: there the ID token is wanted
	// in place of the access token.
	Identity *IdentityPolicy
}

// ParseToken judges a token response (OAuth 2.1 §3.2.3, §3.2.4; RFC 6749 §5).
// The problem carries the server's error response if there was a well-formed one; only
// that can end a credential (token-resp-error-vs-transient). Members that name an
// issuer, a resource or an endpoint are never read (token-resp-no-record-fields). An
// id_token is not read either (token-resp-id-token), unless it is wanted
// (TokenPolicy.Identity).
//
// Rules: token-resp-expires-zero, token-resp-expires-absent,
// token-resp-unknown-ignored, token-resp-no-record-fields,
// token-resp-id-token, token-resp-opaque.
func ParseToken(r Response, p TokenPolicy) (Token, []Finding, *Problem) {
	if r.Status < 200 || r.Status > 299 {
		return Token{}, nil, tokenRefusal(r)
	}
	var found []Finding
	obj, bad := tokenBody(r, &found)
	if bad != nil {
		return Token{}, found, bad
	}
	if e := objectError(obj); e != nil {
		note(&found, rules.TokenRespErrorStatus, "an error response with "+statusDetail(r))
		return Token{}, found, &Problem{Rule: rules.TokenRespErrorStatus, Detail: statusDetail(r), OAuth: e}
	}
	if r.Status != 200 {
		note(&found, rules.TokenResp200, "a token with "+statusDetail(r))
	}
	if !noStore(r.Header) {
		note(&found, rules.TokenRespNoStore, "no Cache-Control: no-store")
	}
	if p.SlackAuthedUser {
		user, _, _ := obj.Object("authed_user")
		if _, has, _ := user.String("access_token"); has {
			note(&found, rules.TokenRespAccessToken, "read from authed_user")
			obj = user
		}
	}
	j := tokenJudge{policy: p, found: found}
	for i := range obj {
		if raw := obj[i].Raw; !isNull(raw) {
			j.member(obj[i].Name, raw)
		}
	}
	bad = j.verdict()
	if bad != nil {
		return Token{}, j.found, bad
	}
	return j.t, j.found, nil
}

// tokenRefusal judges a response whose status is not a success.
func tokenRefusal(r Response) *Problem {
	if e := ParseOAuthError(r); e != nil {
		return &Problem{Rule: rules.TokenRespErrorVsTransient, Detail: statusDetail(r), OAuth: e}
	}
	switch {
	case r.Status >= 300 && r.Status < 400:
		return refuse(rules.TokenReqNoRedirect, statusDetail(r)+", a redirect that is not followed")
	case r.Status >= 400 && r.Status < 500:
		return &Problem{Rule: rules.TokenRespErrorJSON, Detail: statusDetail(r) + " without an OAuth error"}
	}
	return &Problem{Rule: rules.TokenResp200, Detail: statusDetail(r)}
}

// tokenBody reads the body of a success: a JSON object, or a form if the server sends
// one (rule token-resp-json).
func tokenBody(r Response, found *[]Finding) (Object, *Problem) {
	if r.Oversized {
		return nil, refuse(rules.TokenRespSize, "answer is longer than the limit")
	}
	media := mediaType(r)
	obj, fault := parseObject(r.Body)
	if fault == nil {
		if media != "application/json" {
			note(found, rules.TokenRespJSON, "Content-Type is "+quoted(media))
		}
		return obj, nil
	}
	if form := formObject(r.Body); form != nil {
		note(found, rules.TokenRespJSON, "a form in place of JSON")
		return form, nil
	}
	if startsObject(r.Body) {
		return nil, refuse(rules.TokenRespJSONStrict, fault.Error())
	}
	return nil, &Problem{Rule: rules.TokenRespJSON, Detail: "answer is neither a JSON object nor a form"}
}

// startsObject reports whether a body looks like the beginning of a JSON object.
func startsObject(b []byte) bool {
	i := skipSpace(b, 0)
	return i < len(b) && b[i] == '{'
}

// formObject reads a form-encoded token response as an object of strings; nil if the
// body is not such a form. Names must be unique there too.
func formObject(body []byte) Object {
	if len(body) > MaxBody {
		return nil
	}
	fs, ok := DecodeForm(strings.TrimSpace(string(body)))
	if !ok || len(fs) > 64 {
		return nil
	}
	_, token := fs.Get("access_token")
	_, fault := fs.Get("error")
	if !token && !fault {
		return nil
	}
	out := make(Object, 0, len(fs))
	for _, f := range fs {
		if _, twice := out.Raw(f.Name); twice {
			return nil
		}
		out = append(out, Member{Name: f.Name, Raw: appendQuoted(nil, f.Value)})
	}
	return out
}

func noStore(h Fields) bool {
	for i := range h {
		if !strings.EqualFold(h[i].Name, "Cache-Control") {
			continue
		}
		for d := range strings.SplitSeq(h[i].Value, ",") {
			if strings.EqualFold(strings.TrimSpace(d), "no-store") {
				return true
			}
		}
	}
	return false
}
