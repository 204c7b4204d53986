package bearer

import (
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// maxToken bounds a token; header limits of servers are of that size.
const maxToken = 16 << 10

// ReadToken takes the token from the Authorization fields of a request, and looks for one
// nowhere else. The verdict is 200 with a token; 401 without an error code if there is no
// bearer token (RFC 6750 §3.1); 400 if the request is malformed
// (challenge-400-malformed); and 401 invalid_token if the token has octets that no token
// can have (rs-unknown-token-401).
func ReadToken(authorization []string) (token string, v Verdict) {
	_, token, v = readToken(authorization, false)
	return token, v
}

// readToken is ReadToken, but the scheme may also be DPoP (RFC 9449 §7.1).
func readToken(authorization []string, dpop bool) (bound bool, token string, v Verdict) {
	if len(authorization) == 0 {
		return false, "", Verdict{Status: 401, Rule: rules.Challenge401Unauthenticated}
	}
	malformed := Verdict{Status: 400, Error: "invalid_request", Rule: rules.Challenge400Malformed}
	if len(authorization) > 1 {
		malformed.Says = "there is more than one Authorization field"
		return false, "", malformed
	}
	scheme, rest, _ := strings.Cut(strings.Trim(authorization[0], " \t"), " ")
	name := "Bearer"
	if bound = dpop && strings.EqualFold(scheme, "DPoP"); bound {
		name = "DPoP"
	}
	if !strings.EqualFold(scheme, name) {
		return false, "", Verdict{Status: 401, Rule: rules.Challenge401Unauthenticated}
	}
	rest = strings.TrimLeft(rest, " ")
	switch {
	case rest == "":
		malformed.Says = name + " is not followed by a token"
		return bound, "", malformed
	case strings.ContainsAny(rest, " \t,"):
		malformed.Says = name + " is followed by more than a token"
		return bound, "", malformed
	case len(rest) > maxToken || !token68(rest):
		return bound, "", Verdict{Status: 401, Error: "invalid_token", Rule: rules.RSUnknownToken401, Says: "the token is not well formed"}
	}
	return bound, rest, Verdict{Status: 200}
}

// token68 is the grammar of a credential (RFC 9110 §11.2).
func token68(s string) bool {
	body := strings.TrimRight(s, "=")
	if body == "" {
		return false
	}
	for i := range len(body) {
		c := body[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}

// Challenge writes the WWW-Authenticate value of a refusal (RFC 6750 §3,
// RFC 9728 §5.1): error only where a token came, all scopes that the
// operation needs, and where the metadata is. Values are quoted and escaped;
// octets that a quoted string cannot hold are dropped (rs-challenge-no-injection).
func Challenge(v Verdict, realm, metadata string) string {
	return challenge("Bearer", v, realm, metadata, "")
}

// challenge is Challenge of a scheme; algs are the algorithms of proofs (RFC 9449 §7.1).
func challenge(scheme string, v Verdict, realm, metadata, algs string) string {
	var b strings.Builder
	b.WriteString(scheme)
	sep := " "
	add := func(name, value string) {
		if value == "" {
			return
		}
		b.WriteString(sep + name + `="`)
		for i := range len(value) {
			switch c := value[i]; {
			case c == '"' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c >= 0x20 && c < 0x7f:
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
		sep = ", "
	}
	add("realm", realm)
	add("error", v.Error)
	add("error_description", v.Says)
	add("scope", strings.Join(v.Scopes, " "))
	add("resource_metadata", metadata)
	add("algs", algs)
	if sep == " " {
		add("realm", "resource") // at least one parameter (challenge-has-param)
	}
	return b.String()
}
