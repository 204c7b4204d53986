package wire

import (
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// AuthParam is one auth-param of a challenge. Its name is in lower case, and its value
// is decoded from a token or a quoted-string.
type AuthParam struct{ Name, Value string }

// AuthChallenge is one challenge of a WWW-Authenticate field (RFC 9110 §11.6.1),
// with its scheme in lower case. A challenge has a Token68, or Params, or
// neither.
type AuthChallenge struct {
	Scheme, Token68 string
	Params          []AuthParam
}

// Get returns a parameter by its lower-case name.
func (c AuthChallenge) Get(name string) (string, bool) {
	for _, p := range c.Params {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// Limits on what is read from one response.
const (
	maxChallenges = 64
	maxAuthParams = 64 // of one challenge
	maxOddities   = 64 // findings about its grammar
)

// odd records a finding about the grammar, up to a limit: a hostile field can
// cause thousands.
func odd(found *[]Finding, detail string) {
	if len(*found) < maxOddities {
		note(found, rules.ChallengeGrammar, detail)
	}
}

// ParseChallenges reads every challenge of every WWW-Authenticate field, in
// order (RFC 9110 §11.2, §11.6.1):
//
//	Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource", scope="read"
//
// Some errors are tolerated, with a finding: a value that should be in quotes but is
// not, such as a URL, and parameters without a comma between them. A parameter that
// cannot be read is dropped, with a finding that names the byte; the other parameters
// are kept. A challenge without a scheme is left out, and its neighbours are kept. A
// parameter that repeats with the same value is kept once; with different values it is
// dropped.
// Rules: challenge-grammar, challenge-multiple, challenge-scheme-case,
// challenge-param-once.
func ParseChallenges(h Fields) ([]AuthChallenge, []Finding) {
	var out []AuthChallenge
	var found []Finding
	seen := 0
	for _, f := range h {
		if !strings.EqualFold(f.Name, "WWW-Authenticate") {
			continue
		}
		p := challengeParser{s: f.Value}
		for p.more() {
			if seen++; seen > maxChallenges {
				note(&found, rules.ChallengeGrammar, "more than 64 challenges")
				return out, found
			}
			start := p.i
			c, ok := p.challenge(&found)
			if !ok {
				note(&found, rules.ChallengeGrammar, "challenge at byte "+strconv.Itoa(start)+" left out: unexpected text at byte "+strconv.Itoa(p.i))
				p.i = start
				p.resync()
				continue
			}
			out = append(out, c)
		}
	}
	return out, found
}

// addParam keeps a parameter, unless it repeats. Names with different values are
// dropped and remembered in conflict.
func (c *AuthChallenge) addParam(name, value string, conflict []string, found *[]Finding) []string {
	for _, n := range conflict {
		if n == name {
			return conflict
		}
	}
	for i, have := range c.Params {
		if have.Name != name {
			continue
		}
		if have.Value == value {
			note(found, rules.ChallengeParamOnce, "parameter "+quoted(name)+" is there twice with one value")
			return conflict
		}
		note(found, rules.ChallengeParamOnce, "parameter "+quoted(name)+" is there twice with different values; dropped")
		c.Params = append(c.Params[:i:i], c.Params[i+1:]...)
		return append(conflict, name)
	}
	if c.Params == nil {
		c.Params = make([]AuthParam, 0, 4)
	}
	c.Params = append(c.Params, AuthParam{Name: name, Value: value})
	return conflict
}
