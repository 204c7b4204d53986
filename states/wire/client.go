package wire

import (
	"net/url"
	"slices"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// The ways in which a client authenticates at the token endpoint (RFC 7591 §2).
const (
	MethodNone  = "none"
	MethodBasic = "client_secret_basic"
	MethodPost  = "client_secret_post"
	MethodJWT   = "private_key_jwt" // an assertion, signed with the client's key (RFC 7523)
)

// The ways in which a client becomes known (docs/decision-tables.md#t5).
const (
	SourceConfigured = "configured" // #t5-1
	SourceStored     = "stored"     // #t5-2
	SourceCIMD       = "cimd"       // #t5-3
	SourceDynamic    = "dynamic"    // #t5-4
	SourceHost       = "asked"      // #t5-5
)

// Client is this client as one authorization server knows it.
type Client struct {
	ID     string `json:"id"`
	Secret Secret `json:"secret,omitempty"`
	Method string `json:"method,omitempty"` // MethodNone, MethodBasic, MethodPost, MethodJWT; "" before ChooseMethod
	Source string `json:"source,omitempty"`
	// Refused are the methods that the issuer answered with invalid_client, kept while
	// the secret is tried in other ways (OtherMethod).
	Refused []string `json:"refused,omitempty"`
	// Inferred: the method was worked out by docs/decision-tables.md#t7-5 to #t7-8, so #t7-11 may try
	// another one once.
	Inferred bool `json:"inferred,omitzero"`
	// SecretExpires is when the secret expires; zero: never.
	SecretExpires time.Time `json:"secret_expires,omitzero"`
	RedirectURIs  []string  `json:"redirect_uris,omitempty"`
	// RegistrationToken and RegistrationURI manage the registration (RFC 7592 §3).
	RegistrationToken Secret `json:"registration_token,omitempty"`
	RegistrationURI   string `json:"registration_uri,omitempty"`
	// Key names the key that the client signs with. The key itself is kept elsewhere.
	Key string `json:"key,omitempty"`
	// Assertion is the signed assertion of one request (MethodJWT). It is not kept.
	Assertion Secret `json:"-"`
	// Raw is the quirk basic-raw: Basic credentials without form-encoding.
	Raw bool `json:"raw,omitzero"`
}

// ChooseMethod decides how the client authenticates at the token endpoint
// (docs/decision-tables.md#t7). listed is token_endpoint_auth_methods_supported, nil
// if absent. explicit says that c.Method was configured; a method that a registration
// named is in c.Method too. If no method fits, the result is a problem that refuses.
//
// Rules: clientauth-method-from-registration, clientauth-default-basic,
// clientauth-none, clientauth-mtls-unsupported, dcr-method-secret-consistent,
// asm-auth-methods-default.
func ChooseMethod(c Client, listed []string, explicit bool) (Client, []Finding, *Problem) {
	var found []Finding
	inList := func(m string) bool { return slices.Contains(listed, m) }
	basic, post := inList(MethodBasic), inList(MethodPost)
	secretBased := c.Method == MethodBasic || c.Method == MethodPost
	switch {
	case c.Key != "" && (c.Method == MethodJWT || c.Method == "" && (inList(MethodJWT) || c.Secret == "")): // #t7-4
		c.Method, c.Inferred = MethodJWT, false
		if len(listed) > 0 && !inList(MethodJWT) {
			note(&found, rules.ClientauthMethodSupported, "the client signs assertions, and the authorization server does not list private_key_jwt")
		}
		return c, found, nil
	case c.Method == MethodJWT:
		return c, found, refuse(rules.ClientauthMTLSUnsupported, "the client authenticates by private_key_jwt, which needs a key, and none is configured")
	case c.Source == SourceCIMD && (c.Method == "" || c.Method == MethodNone): // #t7-3
		c.Method, c.Inferred = MethodNone, false
		return c, found, nil
	case c.Method != "" && c.Method != MethodNone && !secretBased:
		return c, found, refuse(rules.ClientauthMTLSUnsupported, "authentication method "+quoted(c.Method)+" is not supported")
	case c.Method != "" && explicit: // #t7-1
		c.Inferred = false
		if secretBased && c.Secret == "" {
			return c, found, refuse(rules.ClientauthConfidential, c.Method+" is configured, but no client secret")
		}
		if len(listed) > 0 && !inList(c.Method) {
			note(&found, rules.ClientauthMethodSupported, "configured method "+c.Method+" is not listed by the authorization server")
		}
		return c, found, nil
	case secretBased && c.Secret == "": // #t7-2
		if !inList(MethodNone) {
			return c, found, refuse(rules.DCRMethodSecretConsistent, "registered with "+c.Method+", but without a client secret")
		}
		note(&found, rules.DCRMethodSecretConsistent, "registered with "+c.Method+", but without a client secret; none is used")
		c.Method, c.Inferred = MethodNone, false
		return c, found, nil
	case c.Method != "": // #t7-2, or a method that worked before
		return c, found, nil
	case c.Secret == "": // #t7-10
		if len(listed) > 0 && !inList(MethodNone) {
			note(&found, rules.ClientauthMethodSupported, "a client without secret, and none is not listed by the authorization server")
		}
		c.Method, c.Inferred = MethodNone, false
		return c, found, nil
	}
	c.Inferred = true
	switch {
	case len(listed) == 0: // #t7-5
		c.Method = MethodBasic
	case basic && post: // #t7-7
		c.Method = MethodPost
		if c.plainCredentials() {
			c.Method = MethodBasic
		}
	case basic: // #t7-6
		c.Method = MethodBasic
	case post:
		c.Method = MethodPost
	case inList(MethodNone): // #t7-8
		c.Method = MethodNone
		note(&found, rules.ClientauthMethodSupported, "a client secret is held, but only none is listed")
	default: // #t7-9
		return c, found, refuse(rules.ClientauthMTLSUnsupported, "the authorization server lists only authentication methods that this client cannot use: "+quoted(JoinScope(listed)))
	}
	return c, found, nil
}

// plainCredentials reports whether form-encoding leaves id and secret as they are.
func (c Client) plainCredentials() bool {
	return url.QueryEscape(c.ID) == c.ID && url.QueryEscape(c.Secret.Reveal()) == c.Secret.Reveal()
}

// DocumentMethod chooses, from the methods that a client document lists, one that the server
// knows: preferred if it is among them, otherwise the first. It gives "" if they have no
// method in common. Client and server choose by the same rule (cimd-methods-array; SEP-3149,
// a draft).
func DocumentMethod(listed []string, preferred string, known []string) string {
	if slices.Contains(listed, preferred) && slices.Contains(known, preferred) {
		return preferred
	}
	if i := slices.IndexFunc(listed, func(m string) bool { return slices.Contains(known, m) }); i >= 0 {
		return listed[i]
	}
	return ""
}

// OtherMethod gives the client with the next way to use its secret after
// invalid_client (docs/decision-tables.md#t7-11): basic, then post, as far as the
// issuer lists them, or both if it lists neither. ok is false if the method is not
// ours to choose or every way was refused. The client remembers what was refused, so
// that the number of tries is bounded.
// Rules: clientauth-fallback-once.
func OtherMethod(c Client, listed []string) (Client, bool) {
	if !c.Inferred || c.Secret == "" {
		return c, false
	}
	ways := []string{MethodBasic, MethodPost}
	named := slices.DeleteFunc(slices.Clone(ways), func(m string) bool { return !slices.Contains(listed, m) })
	if len(named) > 0 {
		ways = named
	}
	refused := append(slices.Clone(c.Refused), c.Method)
	for _, m := range ways {
		if !slices.Contains(refused, m) {
			c.Method, c.Refused = m, refused
			return c, true
		}
	}
	return c, false
}
