package httpdriver

import (
	"errors"
	"fmt"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Policy is what a host may decide about its logins. The zero value is right for
// most hosts. It is the same for every account of a Driver.
type Policy struct {
	// Revision pins a revision of MCP authorization; the zero value is the newest
	// that the server speaks.
	Revision states.Revision
	// Strict refuses the breaches that are usually tolerated and noted.
	Strict bool
	// Quirks are the deviations that a server is known to need.
	Quirks []states.Quirk

	// Issuer is used when the server publishes no resource metadata.
	Issuer string
	// Issuers, when not empty, are the only issuers that are used.
	Issuers []string

	// Client is a client that was registered beforehand, bound to its issuer.
	Client *states.Configured
	// Key says what the machine must know about the key that Options.Signer signs with.
	Key *states.SigningKey
	// Binding is whether tokens are bound to a key of this client (DPoP, RFC 9449; a
	// draft extension of MCP): states.TryBinding where the issuer offers it,
	// states.RequireBinding always. Requests then go through Driver.Client or
	// Driver.Transport, which add a proof to each.
	Binding states.TokenBinding
	// Grant is the grant to use: by default a login of the user, or another way to a token
	// such as states.OwnGrant, for the client in its own name, with Client.
	Grant states.GrantType
	// Provider is a company's identity provider, with Grant states.EnterpriseGrant: its
	// issuer, and the client that is registered there. If Options.Identity is nil, the
	// driver logs users in there; that login is the account whose Server is the provider's
	// issuer.
	Provider *states.Configured
	// CIMD is the https URL of the client ID metadata document.
	CIMD string
	// InitialToken is an initial access token for dynamic registration (RFC 7591 §3). It is
	// sent only to Issuer or Issuers, one of which must be set, and only if they demand it.
	InitialToken wire.Secret
	// NoRegistration forbids dynamic registration.
	NoRegistration bool
	// ClientName and ClientURI are what a registration says about the client; an empty
	// name is "Stile".
	ClientName, ClientURI string
	// ClientProfile is what else a registration tells users about the client: logo,
	// contacts, terms, policy, software id and version.
	ClientProfile wire.ClientProfile
	// AuthMethod is the token_endpoint_auth_method to register with: none,
	// client_secret_basic, client_secret_post or, with Key, private_key_jwt. Empty
	// takes one that the issuer lists.
	AuthMethod string
	// Grants are the grant_types to register with. Empty takes authorization_code,
	// and refresh_token where the issuer does not rule it out.
	Grants []string

	// Redirects are the redirect URIs that the host can listen on, preferred
	// first; a loopback one without a port stands for any port. Empty takes what
	// the Host listens on.
	Redirects []string
	// Scopes are requested besides those that the server asks for or, with OnlyScopes,
	// instead of them. A step-up requests the challenged scopes in any case.
	Scopes     []string
	OnlyScopes bool
	// NoRefresh says that no refresh token is wanted.
	NoRefresh bool

	// Parameters are added to the address that the user is sent to, for an issuer that
	// needs more than the protocol says: audience, organization, login_hint and the
	// like. Parameters that the protocol itself sets are refused.
	Parameters []states.Parameter
	// StatePrefix is the beginning of `state` in every login. It is for redirects to a
	// relay, which reads the prefix to find the host. It may have letters, digits and -._~:
	// only, at most 128; the rest of `state` is random as always.
	StatePrefix string

	// Concurrent begins a login even while another process has one of the same account
	// under way, instead of waiting for its result. It is for commands that a user typed,
	// and implied by Web.
	Concurrent bool

	// Asks are the questions that Options.Ask answers.
	Asks []states.Question

	// UserTime bounds the wait for the user in the browser; 0 is 300 s.
	UserTime time.Duration
	// LoginTime bounds what a login does without the user: all requests for metadata,
	// registration and the code, together; 0 is 60 s. The exchange of a code has at
	// least HTTPTime.
	LoginTime time.Duration
	// HTTPTime bounds one exchange, counted from the moment that it has a
	// connection; 0 is 15 s.
	HTTPTime time.Duration
	// LeaseTime bounds one refresh, from the lease to the saved token; 0 is 60 s.
	LeaseTime time.Duration

	// Holder names this process to other processes with the same store that wait for it;
	// a process id and a unique part are appended.
	Holder string
}

// Config is the configuration of the machine of one account: the policy and the
// account. fsm.New checks it.
func (p Policy) Config(a Account) states.Config {
	if p.Grant == states.EnterpriseGrant && p.Provider != nil && a.Server == p.Provider.Issuer {
		return states.Config{
			Server: a.Server, Tenant: a.Tenant, Subject: a.Subject, Account: a.Name, Strict: p.Strict,
			Grant: states.IdentityGrant, Client: p.Provider, NoRegistration: true, Redirects: p.Redirects,
			Concurrent: p.Concurrent, UserTime: p.UserTime, HTTPTime: p.HTTPTime, LeaseTime: p.LeaseTime, Holder: p.Holder,
		}
	}
	return states.Config{
		Server: a.Server, Tenant: a.Tenant, Subject: a.Subject, Account: a.Name,
		Revision: p.Revision, Strict: p.Strict, Quirks: p.Quirks,
		Issuer: p.Issuer, Issuers: p.Issuers,
		Client: p.Client, Key: p.Key, Grant: p.Grant, Provider: p.Provider, CIMD: p.CIMD, InitialToken: p.InitialToken, NoRegistration: p.NoRegistration,
		ClientName: p.ClientName, ClientURI: p.ClientURI, Profile: p.ClientProfile,
		AuthMethod: p.AuthMethod, Grants: p.Grants,
		Redirects: p.Redirects, Scopes: p.Scopes, OnlyScopes: p.OnlyScopes, NoRefresh: p.NoRefresh,
		Parameters: p.Parameters, StatePrefix: p.StatePrefix, Concurrent: p.Concurrent,
		Asks: p.Asks, UserTime: p.UserTime, HTTPTime: p.HTTPTime, LeaseTime: p.LeaseTime, Holder: p.Holder,
	}
}

// has reports whether a quirk is in use.
func (p Policy) has(name states.QuirkName) bool {
	for _, q := range p.Quirks {
		if q.Name == name {
			return true
		}
	}
	return false
}

// setBinding refuses a binding that no account could have, and notes the key of the host's
// signer.
func (d *Driver) setBinding() (err error) {
	switch p := &d.o.Policy; p.Binding {
	case states.NoBinding:
		return nil
	case states.TryBinding, states.RequireBinding:
	default:
		return fmt.Errorf("httpdriver: Policy.Binding: %q is not one of %q, %q, %q", p.Binding, states.NoBinding, states.TryBinding, states.RequireBinding)
	}
	if d.o.Policy.Grant == states.IdentityGrant {
		return errors.New("httpdriver: Policy.Binding: an ID token is not bound to a key")
	}
	if d.o.ProofSigner == nil {
		return nil
	}
	k, ok := d.o.ProofSigner.(abouter)
	if !ok {
		return errors.New("httpdriver: Options.ProofSigner does not say what its key is: give it a method About, as keys.Key has")
	}
	about := k.About()
	d.proofName = about.Name
	d.proofKey, err = aboutProofKey(about)
	return err
}
