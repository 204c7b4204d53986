package states

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// Revision is a revision of MCP authorization.
type Revision string

// The revisions. Auto is R4 with one fallback, to R1 (docs/decisions.md).
const (
	Auto Revision = ""
	R1   Revision = "2025-03-26"
	R2   Revision = "2025-06-18"
	R3   Revision = "2025-11-25"
	R4   Revision = "2026-07-28"
)

// Revisions lists the revisions that can be pinned, oldest first.
var Revisions = []Revision{R1, R2, R3, R4}

// AtLeast reports whether r is at or after o; Auto counts as R4.
func (r Revision) AtLeast(o Revision) bool {
	if r == Auto {
		return true
	}
	return slices.Index(Revisions, r) >= slices.Index(Revisions, o)
}

// Config is what a host decides before anything is asked. It is never changed
// by the machine; a Machine holds a pointer to it.
type Config struct {
	// Server is the URL of the MCP server as configured.
	Server string `json:"server"`
	// Tenant, Subject and Account say whose credential it is.
	Tenant  string `json:"tenant,omitempty"`
	Subject string `json:"subject,omitempty"`
	Account string `json:"account,omitempty"`

	Revision Revision `json:"revision,omitempty"`
	// Strict refuses what is tolerated by default (docs/decision-tables.md#t4, #t10).
	Strict bool `json:"strict,omitzero"`
	// Quirks are the deviations from the rules that this server is known to need.
	Quirks []Quirk `json:"waive,omitempty"`

	// Issuer is used when the server publishes no resource metadata. Issuers,
	// when not empty, is the allow-list of issuers.
	Issuer  string   `json:"issuer,omitempty"`
	Issuers []string `json:"issuers,omitempty"`

	// Client is a client that was registered beforehand. It is bound to its issuer.
	Client *Configured `json:"client,omitempty"`
	// Key is what the client signs assertions with (private_key_jwt); the key
	// itself stays with the driver, which answers Sign.
	Key *SigningKey `json:"key,omitempty"`
	// Binding is whether tokens are bound to a key of this client (DPoP, RFC 9449);
	// ProofKey is that key.
	Binding  TokenBinding `json:"binding,omitempty"`
	ProofKey *ProofKey    `json:"proof_key,omitempty"`
	// Provider is the company's identity provider, with EnterpriseGrant: its issuer, and
	// the client that is registered there.
	Provider *Configured `json:"provider,omitempty"`
	// Grant is the grant to use; empty is the code grant, with a user.
	Grant GrantType `json:"grant,omitempty"`
	// CIMD is the https URL of the client ID metadata document; an http URL on loopback
	// is allowed if Server is on loopback too.
	CIMD string `json:"cimd,omitempty"`
	// InitialToken is an initial access token for dynamic registration (RFC 7591 §3). It
	// belongs to the issuer that gave it: New requires Issuer or Issuers with it, and it is
	// sent only to those, and only if they demand it.
	InitialToken wire.Secret `json:"initial_token,omitempty"`
	// NoRegistration forbids dynamic registration.
	NoRegistration bool `json:"no_registration,omitzero"`
	// ClientName, ClientURI and Profile are what a registration says about the client.
	ClientName string             `json:"client_name,omitempty"`
	ClientURI  string             `json:"client_uri,omitempty"`
	Profile    wire.ClientProfile `json:"profile,omitzero"`
	// AuthMethod is the token_endpoint_auth_method to register with; empty takes
	// one that the issuer lists: none, else client_secret_basic, else
	// client_secret_post.
	AuthMethod string `json:"auth_method,omitempty"`
	// Grants are the grant_types to register with; empty takes authorization_code,
	// and refresh_token where the issuer does not rule it out.
	Grants []string `json:"grants,omitempty"`

	// Redirects are the redirect URIs that the host can listen on, preferred first. A
	// loopback URI without a port stands for any port.
	Redirects []string `json:"redirects,omitempty"`
	// Scopes are requested besides those that the server asks for; with OnlyScopes, instead
	// of them. A step-up requests the challenged scopes in any case
	// (docs/decision-tables.md#t6).
	Scopes     []string `json:"scopes,omitempty"`
	OnlyScopes bool     `json:"only_scopes,omitzero"`
	// NoRefresh says that no refresh token is wanted.
	NoRefresh bool `json:"no_refresh,omitzero"`

	// Parameters are added to every authorization request.
	Parameters []Parameter `json:"parameters,omitempty"`
	// StatePrefix is the beginning of `state` in every authorization request, for a relay in
	// front of several hosts that reads it to find the host.
	StatePrefix string `json:"state_prefix,omitempty"`

	// Concurrent lets several replicas have a login of the same credential under way at
	// once, each with a link of its own. It is meant for hosts that show links instead of
	// opening a browser.
	Concurrent bool `json:"concurrent,omitzero"`

	// Shows says that the host shows codes to the user (Show). If nothing can listen for the
	// redirect of a login, it then continues at another device, if the issuer offers that.
	Shows bool `json:"shows,omitzero"`

	// Asks are the questions that the host answers itself. AskRedirect is
	// always asked.
	Asks []Question `json:"asks,omitempty"`

	// UserTime bounds the wait for the user; HTTPTime one exchange; LeaseTime one
	// refresh. Zero takes 300 s, 15 s and 60 s. Stored logins and engine lines call the
	// first human_time, which cannot be renamed.
	UserTime  time.Duration `json:"human_time,omitzero"`
	HTTPTime  time.Duration `json:"http_time,omitzero"`
	LeaseTime time.Duration `json:"lease_time,omitzero"`

	// Holder names this process in intents and marks; it is shown to users who ask why they
	// wait.
	Holder string `json:"holder,omitempty"`

	// Resource is the canonical URL of Server; New fills it in.
	Resource wire.URL `json:"resource"`
	// Loopback says that Server is loopback http; New fills it in.
	Loopback bool `json:"loopback,omitzero"`
	// Elided are the Redirects without loopback ports, each after a space, as
	// they stand in registration keys; New fills it in.
	Elided string `json:"elided,omitempty"`
}

// Configured is a client that was registered beforehand.
type Configured struct {
	// Issuer is the issuer that gave the client. It is never sent elsewhere.
	Issuer string      `json:"issuer"`
	ID     string      `json:"id"`
	Secret wire.Secret `json:"secret,omitempty"`
	// Method is the client authentication method; empty chooses (docs/decision-tables.md#t7).
	Method string `json:"method,omitempty"`
}

// SigningKey is what the machine must know about a key.
type SigningKey struct {
	// Name is what the key is asked for by (Sign).
	Name string `json:"name"`
	// Alg is the algorithm (JWA, RFC 7518 §3.1), ID the kid, which may be empty.
	Alg string `json:"alg"`
	ID  string `json:"id,omitempty"`
	// Keys is a JWK set with the public key, as JSON, for a dynamic registration. If it is
	// empty, a registration does not offer the key.
	Keys string `json:"keys,omitempty"`
}

// GrantType is a way to obtain a token.
type GrantType string

// The grants.
const (
	CodeGrant GrantType = ""                   // a user logs in
	OwnGrant  GrantType = "client_credentials" // the client asks in its own name
	// WorkloadGrant exchanges the platform's assertion about the workload for a token.
	WorkloadGrant GrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	// EnterpriseGrant uses an ID-JAG, which a company's identity provider gives for the
	// user, instead of the user's visit at the issuer.
	EnterpriseGrant GrantType = wire.TypeIDJAG
	// IdentityGrant is the user's login at an identity provider itself: Server is its
	// issuer, and the token that is handed out is the ID token.
	IdentityGrant GrantType = wire.TypeIDToken
	// DeviceGrant lets the user decide at another device (RFC 8628).
	DeviceGrant GrantType = wire.DeviceGrant
)

// Own reports whether the client asks in its own name: no user takes part.
func (c *Config) Own() bool { return c.Grant == OwnGrant }

// Unattended reports whether no user visits the issuer, because the client asks in its own
// name, for a workload, or with an ID-JAG.
func (c *Config) Unattended() bool {
	return c.Grant == OwnGrant || c.Grant == WorkloadGrant || c.Grant == EnterpriseGrant
}

// Identity reports whether the user logs in at an identity provider itself.
func (c *Config) Identity() bool { return c.Grant == IdentityGrant }

// Device reports whether the user decides at another device.
func (c *Config) Device() bool { return c.Grant == DeviceGrant }

// AtDevice reports whether the user decides at another device, because that is configured or
// because nothing can listen for a redirect.
func (d *Data) AtDevice() bool {
	return d.Config.Device() || d.Flow != nil && d.Flow.AtDevice
}

// Has reports whether a quirk is in use.
func (c *Config) Has(name QuirkName) bool {
	for _, q := range c.Quirks {
		if q.Name == name {
			return true
		}
	}
	return false
}

// Alias gives the second value of the quirk whose first value is from.
func (c *Config) Alias(name QuirkName, from string) string {
	for _, q := range c.Quirks {
		if q.Name == name && len(q.Values) == 2 && q.Values[0] == from {
			return q.Values[1]
		}
	}
	return ""
}

// HostDecides reports whether the host answers q itself.
func (c *Config) HostDecides(q Question) bool { return slices.Contains(c.Asks, q) }

// CredentialKey names the stored credential.
func (c *Config) CredentialKey() Key { return c.key(KindCredential, c.Resource.String()) }

// MarkKey names the mark "a login is under way".
func (c *Config) MarkKey() Key { return c.key(KindMark, c.Resource.String()) }

// LedgerKey names the ledger of step-up attempts.
func (c *Config) LedgerKey() Key { return c.key(KindLedger, c.Resource.String()) }

// ProofKeyKey names the key that a driver keeps for the proofs of the account.
func (c *Config) ProofKeyKey() Key { return c.key(KindProofKey, c.Resource.String()) }

// LoginKey names the parked login of a state; hash is hex SHA-256 of `state`. Of the owner
// it holds only the tenant, so that any replica finds it by the callback alone; the owner is
// checked inside the record.
func (c *Config) LoginKey(hash string) Key {
	return Key{Kind: KindLogin, Tenant: c.Tenant, Name: hash}
}

// DeviceKey names the parked login of the account at another device.
func (c *Config) DeviceKey() Key { return c.key(KindLogin, "device "+c.Resource.String()) }

// RegistrationKey names the client registration at issuer. The redirect URIs are part of it,
// without loopback ports, because a client can use only the redirect URIs that it
// registered.
func (c *Config) RegistrationKey(issuer string) Key {
	return Key{Kind: KindRegistration, Tenant: c.Tenant, Name: issuer + c.Elided}
}

func (c *Config) key(k Kind, name string) Key {
	return Key{Kind: k, Tenant: c.Tenant, Subject: c.Subject, Account: c.Account, Name: name}
}

// The limits that this project chose (docs/decision-tables.md#t8).
const (
	defaultUserTime = 300 * time.Second
	defaultHTTP     = 15 * time.Second
	defaultLease    = 60 * time.Second
	// MaxMetadata bounds metadata, registration and token bodies.
	MaxMetadata = 1 << 20
	// ParkedGrace is how much longer a parked login lives.
	ParkedGrace = time.Minute
	// MarkLife is how long a mark lives; it is renewed while the user decides.
	MarkLife = time.Minute
)

// UserWait, HTTP and LeaseFor give the bounds with their defaults.
func (c *Config) UserWait() time.Duration { return orElse(c.UserTime, defaultUserTime) }
func (c *Config) HTTP() time.Duration     { return orElse(c.HTTPTime, defaultHTTP) }
func (c *Config) LeaseFor() time.Duration { return orElse(c.LeaseTime, defaultLease) }

func orElse(d, or time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return or
}
