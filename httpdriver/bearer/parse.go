package bearer

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// ParseIntrospection judges the body of an introspection answer (RFC 7662 §2.2). A token
// is active only if active is the JSON value true. Any other well-formed answer is
// ErrInvalidToken, and any other body is ErrUnavailable. It is pure.
func ParseIntrospection(body []byte) (Claims, error) {
	var m struct {
		Active    jsontext.Value `json:"active"`
		Scope     jsontext.Value `json:"scope"`
		Audience  jsontext.Value `json:"aud"`
		Issuer    string         `json:"iss"`
		Subject   string         `json:"sub"`
		ClientID  string         `json:"client_id"`
		Username  string         `json:"username"`
		TokenType string         `json:"token_type"`
		Expires   *float64       `json:"exp"`
		Issued    *float64       `json:"iat"`
		NotBefore *float64       `json:"nbf"`
		Confirm   jsontext.Value `json:"cnf"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return Claims{}, unavailable("the introspection answer is not the JSON object of RFC 7662")
	}
	if string(m.Active) != "true" {
		return Claims{}, ErrInvalidToken
	}
	c := Claims{Issuer: m.Issuer, Subject: m.Subject, ClientID: m.ClientID, Username: m.Username, Type: m.TokenType}
	c.bind(m.Confirm)
	var ok, list, good bool
	if c.Scopes, list, good = words(m.Scope); !good {
		return Claims{}, unavailable("scope is neither a string nor a list")
	}
	if list {
		c.Findings = append(c.Findings, wire.Finding{Rule: rules.RSIntrospectScopeString, Detail: "scope came as an array"})
	}
	if c.Audience, good = oneOrMore(m.Audience); !good {
		return Claims{}, unavailable("aud is neither a string nor a list")
	}
	if c.Expires, ok = instant(m.Expires); !ok {
		return Claims{}, unavailable("exp is no date")
	}
	if c.Issued, ok = instant(m.Issued); !ok {
		return Claims{}, unavailable("iat is no date")
	}
	if c.NotBefore, ok = instant(m.NotBefore); !ok {
		return Claims{}, unavailable("nbf is no date")
	}
	return c, nil
}

// words reads a scope: words with spaces between (RFC 6749 §3.3), and no other
// white space; or, tolerated, a list.
func words(v jsontext.Value) (out []string, list, ok bool) {
	if len(v) == 0 || string(v) == "null" {
		return nil, false, true
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), false, true
	}
	if json.Unmarshal(v, &out) == nil {
		return out, true, true
	}
	return nil, false, false
}

// oneOrMore reads a string or a list of strings (RFC 7519 §4.1.3).
func oneOrMore(v jsontext.Value) ([]string, bool) {
	if len(v) == 0 || string(v) == "null" {
		return nil, true
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return []string{s}, true
	}
	var out []string
	if json.Unmarshal(v, &out) == nil {
		return out, true
	}
	return nil, false
}

// statedExpiry reads the expiry that a JWT states about itself, without believing
// anything else of it; zero if it states none. Other tokens are not JWTs.
func statedExpiry(token string) (expires time.Time, isJWT bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	var claims struct {
		Expires *float64 `json:"exp"`
	}
	for i, into := range []any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(b, into) != nil {
			return time.Time{}, false
		}
	}
	expires, ok := instant(claims.Expires)
	return expires, ok && header.Algorithm != ""
}
