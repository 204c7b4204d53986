package peer

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Signer makes a JWS in compact form from the JSON of its header and claims.
// It is injected: no private key enters the peer.
type Signer func(header, claims []byte) string

// User is an account that can log in.
type User struct {
	Name     string
	Password string
	// Subject is the `sub` of the tokens; empty means the name.
	Subject string
}

// PreClient is a client that was registered by hand. With a secret it is
// confidential (RFC 6749 §2.1).
type PreClient struct {
	ID           string
	Secret       string
	Name         string
	RedirectURIs []string
	GrantTypes   []string // empty: authorization_code and refresh_token
	// Method is the one way in which the client authenticates (RFC 7591 §2):
	// none, client_secret_basic, client_secret_post, private_key_jwt. Empty is
	// none without a secret, and either way with one.
	Method string
	// JWKS holds the public keys of a client that signs assertions (RFC 7517).
	JWKS []byte
	// Introspect lets the client call the introspection endpoint (RFC 7662
	// §2.1): it is a resource server.
	Introspect bool
	// Resource, when set, limits introspection to tokens for that resource;
	// all others look inactive to this client (RFC 7662 §2.2).
	Resource string
	// Elsewhere is what the client is called at other issuers: the client_id of an
	// ID-JAG for one of them. Empty: what it is called here.
	Elsewhere map[string]string
}

// ASConfig says how an authorization server behaves. The zero value of each
// field is usable except Issuer.
type ASConfig struct {
	// Issuer is the issuer identifier, published byte for byte (RFC 8414 §2).
	Issuer string
	// Resources lists the resources that tokens can be for (RFC 8707); empty
	// accepts every well-formed one. DefaultResource is the audience where a
	// request names none; it defaults to the only entry of Resources.
	Resources       []string
	DefaultResource string
	// Scopes are those that can be granted; DefaultScopes are granted where none is
	// asked for, and default to the first of Scopes (RFC 6749 §3.3).
	Scopes        []string
	DefaultScopes []string
	// Seed is what every code, token and identifier is drawn from.
	Seed []byte

	AccessTokenTTL  time.Duration // default one hour
	RefreshTokenTTL time.Duration // default 30 days
	CodeTTL         time.Duration // default 5 minutes, at most 10 (OAuth 2.1 §4.1.2)

	// NoRefresh issues no refresh tokens. RefreshRotation replaces the refresh
	// token at each use, and reuse of a spent one revokes its family (OAuth 2.1
	// §4.3.1). RefreshGrace honours a spent token for that long instead.
	NoRefresh       bool
	RefreshRotation bool
	RefreshGrace    time.Duration
	// OfflineAccess lists the scope offline_access, and gives refresh tokens
	// only for it (SEP-2207).
	OfflineAccess bool

	DCR  bool // dynamic registration (RFC 7591)
	CIMD bool // client ID metadata documents
	Iss  bool // `iss` in authorization responses (RFC 9207)
	// Device offers the device grant (RFC 8628), with a page for the user code.
	// DeviceAsks leaves the decision about a device to its user although AutoConsent is set.
	Device, DeviceAsks bool
	// ClientCredentials allows the client credentials grant to confidential Clients.
	ClientCredentials bool
	// Trusted are the issuers whose assertions the jwt-bearer grant accepts (RFC 7523
	// §2.1); the grant is offered if there is one. Identity makes the server an identity
	// provider: it has the scope openid, issues ID tokens, and exchanges them for ID-JAGs.
	// It needs Sign, JWKS and Verify.
	Trusted  []Trusted
	Identity bool
	// NoMetadata serves no metadata at all: an MCP 2025-03-26 server whose
	// clients use the default endpoints.
	NoMetadata bool

	Clients []PreClient
	Users   []User
	// AutoConsent answers /authorize with a code at once, as the first user, or as the
	// one that login_hint names.
	// Deny answers it with access_denied instead.
	AutoConsent bool
	Deny        bool

	// Sign makes access tokens JWTs (RFC 9068); nil leaves them opaque.
	// SignAlg and SignKeyID go into the header, JWKS is served as it is.
	Sign      Signer
	SignAlg   string
	SignKeyID string
	JWKS      []byte

	// Verify checks the signature of a JWS in compact form with a JWK set and
	// gives its header and claims. It is injected, as Sign is; without it clients
	// cannot authenticate by private_key_jwt.
	Verify func(jws string, jwks []byte) (header, claims []byte, ok bool)

	// DPoP is whether tokens are bound to keys of clients (RFC 9449); it needs Verify.
	// DPoPNonces demands that proofs hold a nonce of this server.
	DPoP       DPoP
	DPoPNonces bool

	// Render writes a page for the user; nil writes plain text. PageCSP is
	// added to the Content-Security-Policy, for the page's own style.
	Render  func(Page) []byte
	PageCSP string

	// MaxClients bounds dynamic registrations (default 1000),
	// RegistrationsPerMinute their rate (default 120), and MaxTokens the live
	// codes, access tokens and refresh tokens, each (default 10000). Negative is
	// unbounded.
	MaxClients             int
	RegistrationsPerMinute int
	MaxTokens              int

	// Faults are names of Faults that act, each optionally with @N.
	Faults []string
}

func (c *ASConfig) complete() error {
	if !sound(c.Issuer) || strings.Contains(c.Issuer, "?") {
		return fmt.Errorf("peer: the issuer %q is not an https URL, or http on loopback, without query and fragment", c.Issuer)
	}
	for _, d := range []struct {
		v    *time.Duration
		zero time.Duration
	}{{&c.AccessTokenTTL, time.Hour}, {&c.RefreshTokenTTL, 30 * 24 * time.Hour}, {&c.CodeTTL, 5 * time.Minute}} {
		if *d.v == 0 {
			*d.v = d.zero
		}
	}
	c.CodeTTL = min(c.CodeTTL, 10*time.Minute)
	if len(c.DefaultScopes) == 0 && len(c.Scopes) > 0 {
		c.DefaultScopes = c.Scopes[:1]
	}
	if c.DefaultResource == "" && len(c.Resources) == 1 {
		c.DefaultResource = c.Resources[0]
	}
	if c.MaxClients == 0 {
		c.MaxClients = 1000
	}
	if c.RegistrationsPerMinute == 0 {
		c.RegistrationsPerMinute = 120
	}
	if c.MaxTokens == 0 {
		c.MaxTokens = 10_000
	}
	for _, p := range c.Clients {
		switch {
		case p.Method == "none" && p.Secret == "", p.Method == "":
		case p.Method == "private_key_jwt" && p.Secret == "" && len(p.JWKS) > 0 && c.Verify != nil:
		case (p.Method == "client_secret_basic" || p.Method == "client_secret_post") && p.Secret != "":
		default:
			return fmt.Errorf("peer: the client %q cannot authenticate by %q: none goes without a secret, client_secret_basic and client_secret_post with one, private_key_jwt with keys", p.ID, p.Method)
		}
	}
	if len(c.Users) == 0 {
		c.Users = []User{{Name: "demo_user", Password: "demo_password"}}
	}
	if (c.Identity || len(c.Trusted) > 0) && c.Verify == nil || c.Identity && (c.Sign == nil || len(c.JWKS) == 0) {
		return fmt.Errorf("peer: Trusted needs Verify; Identity needs Sign, JWKS and Verify")
	}
	if c.DPoP != NoDPoP && c.Verify == nil {
		return fmt.Errorf("peer: DPoP needs Verify")
	}
	if c.Sign != nil && c.SignAlg == "" {
		return fmt.Errorf("peer: Sign needs SignAlg")
	}
	return nil
}

// base is the issuer without its terminating slash: what endpoints are
// appended to (RFC 8414 §3.1).
func (c *ASConfig) base() string { return strings.TrimSuffix(c.Issuer, "/") }

func (c *ASConfig) scopesSupported() []string {
	out := slices.Clone(c.Scopes)
	if c.OfflineAccess && !slices.Contains(out, "offline_access") {
		out = append(out, "offline_access")
	}
	if c.Identity && !slices.Contains(out, openID) {
		out = append(out, openID)
	}
	return out
}

func (c *ASConfig) user(name string) (User, bool) {
	for _, u := range c.Users {
		if u.Name == name {
			if u.Subject == "" {
				u.Subject = u.Name
			}
			return u, true
		}
	}
	return User{}, false
}

// audience says which resource a request is for, and whether tokens can be
// for it (RFC 8707 §2: invalid_target otherwise). A resource that differs from a
// listed one by a trailing slash is read as the listed one.
func (c *ASConfig) audience(asked []string) (string, bool) {
	if len(asked) == 0 {
		return c.DefaultResource, true
	}
	for _, a := range asked[1:] {
		if a != asked[0] {
			return "", false
		}
	}
	if !sound(asked[0]) {
		return "", false
	}
	if len(c.Resources) == 0 || slices.Contains(c.Resources, asked[0]) {
		return asked[0], true
	}
	for _, r := range c.Resources {
		if strings.TrimSuffix(r, "/") == strings.TrimSuffix(asked[0], "/") {
			return asked[0], true
		}
	}
	return "", false
}
