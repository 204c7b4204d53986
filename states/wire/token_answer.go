package wire

import (
	"slices"
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
	// ExpiresIn counts from receipt; it means something only with HasExpiry.
	ExpiresIn time.Duration `json:"expires_in,omitzero"`
	HasExpiry bool          `json:"has_expiry,omitzero"` // false: unknown
}

// TokenPolicy names the deviations of a provider that are accepted.
type TokenPolicy struct {
	CommaScope      bool // quirk comma-scope
	SlackAuthedUser bool // quirk slack-authed-user
	SlackTokenType  bool // quirk slack-token-type
	DPoP            bool // a DPoP-bound token is wanted
	Bound           bool // no other is taken
	// Identity, when set, is that of a login at an identity provider: the ID token is
	// what is wanted, in place of the access token.
	Identity *IdentityPolicy
}

// maxLifetime bounds expires_in: ten years.
const maxLifetime = 10 * 365 * 24 * time.Hour

// ParseToken judges a token response (OAuth 2.1 §3.2.3, §3.2.4; RFC 6749 §5).
// The problem carries the server's error response where there was a
// well-formed one; only that can end a credential (token-resp-error-vs-transient).
// Members that name an issuer, a resource or an endpoint are never read
// (token-resp-no-record-fields), nor is an id_token (token-resp-id-token), but for
// one that is wanted (TokenPolicy.Identity).
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
		if user, _, ok := obj.Object("authed_user"); ok {
			if _, has, _ := user.String("access_token"); has {
				note(&found, rules.TokenRespAccessToken, "read from authed_user")
				obj = user
			}
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

// tokenRefusal judges a status that is no success.
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

// tokenBody reads the body of a success: a JSON object, or a form where the
// server sends one (rule token-resp-json).
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

// startsObject reports a body that means to be a JSON object.
func startsObject(b []byte) bool {
	i := skipSpace(b, 0)
	return i < len(b) && b[i] == '{'
}

// formObject reads a form-encoded token response as an object of strings; nil
// when the body is no such form. Names must be unique there too.
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

// tokenJudge collects what the members of a token response say.
type tokenJudge struct {
	t        Token
	policy   TokenPolicy
	found    []Finding
	typeSeen bool
	typeText string
	identity Secret
}

func (j *tokenJudge) member(name string, raw []byte) {
	switch name {
	case "access_token":
		s, _ := rawString(raw)
		j.t.AccessToken = Secret(s)
	case "refresh_token":
		s, ok := rawString(raw)
		if !ok || !printable(s) {
			note(&j.found, rules.TokenRespRefreshOptional, "refresh_token is unusable; read as absent")
			return
		}
		j.t.RefreshToken = Secret(s)
	case "token_type":
		j.typeText, j.typeSeen = rawString(raw)
		if !j.typeSeen { // present, but of another type: unknown, not absent
			j.typeText, j.typeSeen = "", true
		}
	case "expires_in":
		j.expires(raw)
	case "id_token":
		if s, _ := rawString(raw); j.policy.Identity != nil {
			j.identity = Secret(s)
		}
	case "scope":
		j.scope(raw)
	case "refresh_token_expires_in", "refresh_expires_in":
		note(&j.found, rules.TokenRespRefreshExpiry, name+" is recorded only")
	}
}

func (j *tokenJudge) expires(raw []byte) {
	n, kind := rawSeconds(raw)
	switch kind {
	case numberJunk, numberNegative:
		note(&j.found, rules.TokenRespExpiresIn, "expires_in is not a whole number of seconds; read as absent")
		return
	case numberText:
		note(&j.found, rules.TokenRespExpiresIn, "expires_in is a string")
	default: // the others have nothing of their own here
	}
	j.t.HasExpiry = true
	if n > int64(maxLifetime/time.Second) {
		note(&j.found, rules.TokenRespExpiresIn, "expires_in is beyond ten years; cut to that")
		j.t.ExpiresIn = maxLifetime
		return
	}
	j.t.ExpiresIn = time.Duration(n) * time.Second
}

func (j *tokenJudge) scope(raw []byte) {
	s, ok := rawString(raw)
	if !ok {
		list, ok := rawStrings(raw)
		if !ok {
			note(&j.found, rules.TokenRespScopeString, "scope is neither a string nor an array of strings; read as absent")
			return
		}
		note(&j.found, rules.TokenRespScopeString, "scope is an array")
		s = JoinScope(list)
	} else if strings.IndexByte(s, ',') >= 0 {
		if j.policy.CommaScope {
			note(&j.found, rules.TokenRespScopeString, "scope is separated by commas")
			s = strings.ReplaceAll(s, ",", " ")
		} else {
			note(&j.found, rules.TokenRespScopeString, "scope holds a comma, which is part of a scope and separates nothing")
		}
	}
	j.t.Scopes, j.t.HasScope = ParseScope(s), true
}

func (j *tokenJudge) verdict() *Problem {
	token := j.t.AccessToken.Reveal()
	if token == "" {
		return refuse(rules.TokenRespAccessToken, "no access_token with content")
	}
	odd := false
	for i := 0; i < len(token); i++ {
		switch c := token[i]; {
		case c <= ' ' || c == 0x7f:
			return refuse(rules.TokenRespTokenCharset, "access_token holds white space or a control character")
		case !isToken68(c) && c != '=':
			odd = true
		}
	}
	if odd {
		note(&j.found, rules.TokenRespTokenCharset, "access_token holds an octet that RFC 6750 does not allow")
	}
	if p := j.policy.Identity; p != nil {
		return j.identityInPlace(*p)
	}
	return j.tokenType()
}

// identityInPlace puts the ID token in the place of the access token, which is of no use:
// nothing of the identity provider is asked with it.
func (j *tokenJudge) identityInPlace(p IdentityPolicy) *Problem {
	if j.identity == "" {
		return refuse(rules.ExtEMASubjectTypes, "the answer holds no ID token")
	}
	until, bad := JudgeIdentity(j.identity, p)
	if bad != nil {
		return bad
	}
	j.t.AccessToken, j.t.Type = j.identity, "Bearer"
	j.t.ExpiresIn, j.t.HasExpiry = until.Sub(p.At), true
	return nil
}

func (j *tokenJudge) tokenType() *Problem {
	if bad := j.bound(); bad != nil {
		return bad
	}
	switch {
	case !j.typeSeen:
		note(&j.found, rules.TokenRespTokenType, "no token_type; read as Bearer")
		j.t.Type = "Bearer"
	case strings.EqualFold(j.typeText, "Bearer"):
		j.t.Type = "Bearer"
	case j.policy.DPoP && strings.EqualFold(j.typeText, "DPoP"):
		j.t.Type = "DPoP"
	case j.policy.SlackTokenType && slices.Contains([]string{"user", "bot"}, strings.ToLower(j.typeText)):
		note(&j.found, rules.TokenRespTokenType, "token_type "+quoted(j.typeText)+" read as Bearer")
		j.t.Type = "Bearer"
	default:
		return refuse(rules.TokenRespTokenTypeKnown, "token_type is "+quoted(j.typeText))
	}
	return nil
}

// bound judges whether a token is bound to the key that its request proved.
//
// Rules: ext-dpop-type.
func (j *tokenJudge) bound() *Problem {
	switch {
	case strings.EqualFold(j.typeText, "DPoP"):
	case j.policy.Bound:
		return refuse(rules.ExtDPoPType, "the token is not bound to the key (token_type is "+quoted(j.typeText)+")")
	case j.policy.DPoP:
		note(&j.found, rules.ExtDPoPType, "a proof was sent, and the token is not bound to its key")
	}
	return nil
}
