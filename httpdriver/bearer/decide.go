package bearer

import (
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// MaxSkew is the most that clocks may differ (rs-expiry).
const MaxSkew = time.Minute

// Policy says which tokens are good enough. The zero value accepts none:
// Resource and Issuers are needed.
type Policy struct {
	// Resource is the identifier that must be in the token's audience (RFC 8707
	// §2, rs-audience). One trailing slash more or less is tolerated.
	Resource string
	// Issuers are the authorization servers whose tokens are accepted: those that the
	// resource's own metadata names (rs-issuer-trusted).
	Issuers []string
	// Scopes must all be held.
	Scopes []string
	// Implies lists broad scopes with a narrower one that each includes,
	// transitively (stepup-server-hierarchy).
	Implies [][2]string
	// Skew is tolerated in expiry and not-before, up to MaxSkew.
	Skew time.Duration
	// AllowMissingAudience, AllowMissingIssuer and AllowMissingExpiry accept tokens about
	// which the authorization server says nothing on that point. A wrong value is refused
	// nevertheless.
	AllowMissingAudience bool
	AllowMissingIssuer   bool
	AllowMissingExpiry   bool
	// Bound refuses tokens that are not bound to a key (Config.DPoP).
	Bound bool
}

// Claims is what a Verifier found out about a token.
type Claims struct {
	Issuer    string
	Subject   string
	ClientID  string
	Username  string
	Audience  []string
	Scopes    []string
	Issued    time.Time
	NotBefore time.Time
	Expires   time.Time
	// Type is the token's type where the authorization server says it
	// ("Bearer", "DPoP"); a token bound to a key is no bearer token.
	Type string
	// Thumbprint is that of the key that the token is bound to (cnf.jkt, RFC 9449 §6).
	// Proven says that the request came with a proof of that key. A Guard sets it; a
	// Verifier never does.
	Thumbprint string
	Proven     bool
	// Findings are breaches of the authorization server that were tolerated.
	Findings []wire.Finding
}

// Verdict is the result of Decide.
type Verdict struct {
	// Status is 200, 401 or 403.
	Status int
	// Error is the code of the challenge: invalid_token, insufficient_scope.
	Error string
	// Rule is the rule of docs/rules.md by which it was decided.
	Rule rules.ID
	// Says is for the challenge's error_description. It is one of a few fixed texts, and
	// holds no part of the token.
	Says string
	// Scopes are those that the operation needs, all of them.
	Scopes []string
}

// OK says that the request may go on.
func (v Verdict) OK() bool { return v.Status == 200 }

// Decide judges a verified token. It is pure: the same time, policy and
// claims give the same verdict.
func Decide(at time.Time, p Policy, c Claims) Verdict {
	bad := func(rule rules.ID, says string) Verdict {
		return Verdict{Status: 401, Error: "invalid_token", Rule: rule, Says: says, Scopes: p.Scopes}
	}
	skew := min(max(p.Skew, 0), MaxSkew)
	switch {
	case c.Issuer == "" && !p.AllowMissingIssuer:
		return bad(rules.RSIssuerTrusted, "the token does not say who issued it")
	case c.Issuer != "" && !slices.Contains(p.Issuers, c.Issuer):
		return bad(rules.RSIssuerTrusted, "the token is of another issuer")
	case len(c.Audience) == 0 && !p.AllowMissingAudience:
		return bad(rules.RSAudience, "the token does not say for which resource it is")
	case len(c.Audience) > 0 && !named(p.Resource, c.Audience):
		return bad(rules.RSAudience, "the token is for another resource")
	case c.Expires.IsZero() && !p.AllowMissingExpiry:
		return bad(rules.RSExpRequired, "the token does not say when it expires")
	case !c.Expires.IsZero() && !at.Before(c.Expires.Add(skew)):
		return bad(rules.RSExpiry, "the token has expired")
	case !c.NotBefore.IsZero() && at.Add(skew).Before(c.NotBefore):
		return bad(rules.RSValidateToken, "the token is not valid yet")
	case c.Thumbprint != "" && !c.Proven:
		return bad(rules.ExtDPoPNoDowngrade, "the token is bound to a key, and comes without a proof of it")
	case p.Bound && c.Thumbprint == "":
		return bad(rules.ExtDPoPNoDowngrade, "the token is not bound to a key")
	case c.Type != "" && !strings.EqualFold(c.Type, "Bearer") && !(c.Proven && strings.EqualFold(c.Type, "DPoP")):
		return bad(rules.RSValidateToken, "the token is not a bearer token")
	}
	if !holds(c.Scopes, p.Scopes, p.Implies) {
		return Verdict{
			Status: 403, Error: "insufficient_scope", Rule: rules.RSScopeCheck,
			Says: "the token does not have the scopes that this needs", Scopes: p.Scopes,
		}
	}
	return Verdict{Status: 200, Scopes: p.Scopes}
}

// named reports whether the resource is in the audience, octet for octet except for one
// slash at the end (rs-audience-exact).
func named(resource string, audience []string) bool {
	if resource == "" {
		return false
	}
	trimmed := strings.TrimSuffix(resource, "/")
	for _, a := range audience {
		if a == resource || strings.TrimSuffix(a, "/") == trimmed {
			return true
		}
	}
	return false
}

// holds says that every needed scope is held, directly or by implication.
func holds(have, need []string, implies [][2]string) bool {
	for _, n := range need {
		if !slices.Contains(have, n) && !implied(have, n, implies, len(implies)) {
			return false
		}
	}
	return true
}

// implied follows the implications backwards; depth bounds a cycle.
func implied(have []string, need string, implies [][2]string, depth int) bool {
	if depth == 0 {
		return false
	}
	for _, i := range implies {
		if i[1] == need && (slices.Contains(have, i[0]) || implied(have, i[0], implies, depth-1)) {
			return true
		}
	}
	return false
}
