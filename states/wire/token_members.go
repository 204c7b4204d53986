package wire

import (
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// maxLifetime is the limit for expires_in: ten years.
const maxLifetime = 10 * 365 * 24 * time.Hour

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
	default: // the others need nothing here
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

// identityInPlace puts the ID token in the place of the access token. The access token is
// of no use, since nothing is requested from the identity provider with it.
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

// bound judges whether a token is bound to the key that was proved in its request.
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
