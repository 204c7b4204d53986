package fsm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// New checks a configuration and gives a machine that has not begun. The error
// says which field is wrong and what would be right; it is ErrConfig, and holds a
// FieldError.
func New(c states.Config) (Machine, error) {
	if err := check(&c); err != nil {
		return Machine{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return Machine{State: states.Idle, Data: states.Data{Config: &c}}, nil
}

// FieldError says what is wrong with one field of a states.Config. Commands that
// have flags for fields name those in its place.
type FieldError struct {
	Field string
	Err   error
}

func (e *FieldError) Error() string { return "field " + e.Field + ": " + e.Err.Error() }

// Unwrap gives what is wrong, without the name of the field.
func (e *FieldError) Unwrap() error { return e.Err }

func check(c *states.Config) error {
	server, bad := wire.ParseURL(c.Server)
	if bad == nil && server.User() {
		bad = server.Judge(wire.URLPolicy{}) // the canonical form would hide it
	}
	if bad == nil {
		c.Resource, c.Loopback = server.Canonical(), server.LoopbackHTTP()
		bad = c.Resource.Judge(wire.URLPolicy{AllowLoopbackHTTP: c.Loopback})
	}
	if bad != nil {
		return &FieldError{"Server", bad}
	}
	urls := wire.URLPolicy{AllowLoopbackHTTP: c.Loopback}
	if c.Revision != states.Auto && !slices.Contains(states.Revisions, c.Revision) {
		return &FieldError{"Revision", fmt.Errorf("%q is not one of %v", c.Revision, states.Revisions)}
	}
	c.Elided = ""
	for _, r := range c.Redirects {
		c.Elided += " " + states.ElidePort(r)
		if !states.RedirectAllowed(r) {
			return &FieldError{"Redirects", fmt.Errorf("%q is neither https nor http on loopback", r)}
		}
	}
	if c.CIMD != "" {
		// Issuers on loopback can read a document on loopback; no others are
		// asked when the server itself is there.
		u, bad := wire.ParseURL(c.CIMD)
		if bad == nil {
			bad = u.Judge(urls)
		}
		if bad != nil {
			return &FieldError{"CIMD", bad}
		}
		if path := u.EscapedPath(); path == "" || path == "/" {
			return &FieldError{"CIMD", fmt.Errorf("%q must have a path (%s)", c.CIMD, rules.CIMDURLPath)}
		}
	}
	if c.Client != nil && c.Client.ID == "" {
		return &FieldError{"Client", fmt.Errorf("the client id is missing")}
	}
	for _, issuer := range append(slices.Clone(c.Issuers), c.Issuer) {
		if issuer == "" {
			continue
		}
		if p := wire.CheckURL(issuer, urls); p != nil {
			return &FieldError{"Issuer", p}
		}
	}
	switch c.AuthMethod {
	case "", wire.MethodNone, wire.MethodBasic, wire.MethodPost:
	case wire.MethodJWT:
		if c.Key == nil || c.Key.Keys == "" {
			return &FieldError{"AuthMethod", fmt.Errorf("%s goes with a key whose public half is known (Key)", wire.MethodJWT)}
		}
	default:
		return &FieldError{"AuthMethod", fmt.Errorf("%q is not one of %s, %s, %s, %s", c.AuthMethod, wire.MethodNone, wire.MethodBasic, wire.MethodPost, wire.MethodJWT)}
	}
	if err := checkKey(c); err != nil {
		return err
	}
	if err := checkGrant(c); err != nil {
		return err
	}
	if err := checkBinding(c); err != nil {
		return err
	}
	if c.Device() {
		c.Elided = states.DeviceClients // such a client is registered apart
	}
	if len(c.Grants) > 0 && !c.Device() && !slices.Contains(c.Grants, "authorization_code") {
		return &FieldError{"Grants", fmt.Errorf("authorization_code is missing: a login needs it")}
	}
	for _, uri := range []string{c.ClientURI, c.Profile.Logo, c.Profile.Terms, c.Profile.Policy} {
		if uri == "" {
			continue
		}
		if _, bad := wire.ParseURL(uri); bad != nil {
			return &FieldError{"Profile", bad}
		}
	}
	if c.InitialToken != "" && c.Issuer == "" && len(c.Issuers) == 0 {
		return &FieldError{"InitialToken", fmt.Errorf("it goes to the issuer that gave it and to nobody else; name that in Issuer (%s)", rules.DCRInitialAccessToken)}
	}
	if err := checkParameters(c); err != nil {
		return err
	}
	for _, q := range c.Quirks {
		if err := checkQuirk(q); err != nil {
			return &FieldError{"Quirks", err}
		}
	}
	return nil
}

// checkKey refuses a key that nobody could ask for, and one beside a secret: which
// of the two the client is registered with would be a guess.
func checkKey(c *states.Config) error {
	k := c.Key
	switch {
	case k == nil:
		if c.Client != nil && c.Client.Method == wire.MethodJWT {
			return &FieldError{"Client", fmt.Errorf("%s goes with a key (Key)", wire.MethodJWT)}
		}
	case k.Name == "" || k.Alg == "":
		return &FieldError{"Key", fmt.Errorf("the name or the algorithm is missing")}
	case k.Alg == "none" || strings.HasPrefix(k.Alg, "HS"):
		return &FieldError{"Key", fmt.Errorf("%q does not sign with a private key (%s)", k.Alg, rules.ClientauthJWTAlg)}
	case c.Client != nil && c.Client.Secret != "":
		return &FieldError{"Key", fmt.Errorf("the client has a secret as well; it authenticates by one of them (%s)", rules.ClientauthOneMethod)}
	}
	return nil
}

// checkBinding refuses a binding without a key that can make proofs.
func checkBinding(c *states.Config) error {
	k := c.ProofKey
	switch c.Binding {
	case states.NoBinding:
		c.ProofKey = nil
		return nil
	case states.TryBinding, states.RequireBinding:
	default:
		return &FieldError{"Binding", fmt.Errorf("%q is not one of %q, %q, %q", c.Binding, states.NoBinding, states.TryBinding, states.RequireBinding)}
	}
	switch {
	case c.Identity():
		return &FieldError{"Binding", fmt.Errorf("an ID token is not bound to a key")}
	case k == nil || k.Name == "" || c.Key != nil && c.Key.Name == k.Name:
		return &FieldError{"ProofKey", fmt.Errorf("tokens are bound to a key, with a name of its own (%s)", rules.ExtDPoPTokenProof)}
	case !slices.Contains(wire.ProofAlgs, k.Alg):
		return &FieldError{"ProofKey", fmt.Errorf("%q is not an algorithm for proofs (%s)", k.Alg, rules.ExtDPoPProofForm)}
	}
	own := *k
	if own.Thumbprint = wire.Thumbprint([]byte(k.Public)); own.Thumbprint == "" {
		return &FieldError{"ProofKey", fmt.Errorf("the public half is not a public JWK (%s)", rules.ExtDPoPProofForm)}
	}
	c.ProofKey = &own
	return nil
}

// checkGrant refuses a client that asks in its own name and is not told where: the
// server's metadata must not say who gets its secret.
func checkGrant(c *states.Config) error {
	switch {
	case c.Grant == states.CodeGrant:
		return nil
	case c.Grant == states.WorkloadGrant:
		return checkWorkload(c)
	case c.Grant == states.EnterpriseGrant:
		return checkEnterprise(c)
	case c.Identity():
		return checkIdentity(c)
	case c.Device():
		if c.Key != nil {
			return &FieldError{"Key", fmt.Errorf("the device grant goes with a public client or one with a secret")}
		}
		return nil
	case c.Grant != states.OwnGrant:
		return &FieldError{"Grant", fmt.Errorf("%q is not one of the grants: %q is a login, %q a token in the client's own name, %q one for a workload, %q a login at another device, %q a token for what a company's identity provider says, %q a login there", c.Grant, states.CodeGrant, states.OwnGrant, states.WorkloadGrant, states.DeviceGrant, states.EnterpriseGrant, states.IdentityGrant)}
	case c.Client == nil:
		return &FieldError{"Client", fmt.Errorf("%s goes with a client that is registered beforehand (%s)", c.Grant, rules.ExtCCPreregistered)}
	case c.Client.Issuer == "":
		return &FieldError{"Client", fmt.Errorf("%s goes with the issuer that the client belongs to (%s)", c.Grant, rules.ExtCCIssuerPinned)}
	case c.Client.Secret == "" && c.Key == nil || c.Client.Method == wire.MethodNone:
		return &FieldError{"Client", fmt.Errorf("%s goes with a secret or a key (%s)", c.Grant, rules.ExtCCConfidential)}
	}
	return nil
}

// checkWorkload refuses a workload that is not told which issuer its assertions are
// for, and lets in no other one.
func checkWorkload(c *states.Config) error {
	switch {
	case c.Issuer == "":
		return &FieldError{"Issuer", fmt.Errorf("a workload's assertion goes to the issuer that is configured and to no other (%s)", rules.ExtWIFIssuerPinned)}
	case c.Client != nil || c.Key != nil:
		return &FieldError{"Client", fmt.Errorf("a workload has no client (%s)", rules.ExtWIFNoClientID)}
	}
	c.Issuers = []string{c.Issuer}
	return nil
}

// checkEnterprise refuses a client that is not told which identity provider says who its
// users are, and as whom it asks there and at the server's issuer; that is configured as
// well, so that the server's metadata does not say who learns about the users.
func checkEnterprise(c *states.Config) error {
	switch p := c.Provider; {
	case p == nil || p.Issuer == "" || p.ID == "":
		return &FieldError{"Provider", fmt.Errorf("it goes with an identity provider: its issuer, and the client's id there (%s)", rules.ExtEMAExchange)}
	case p.Method == wire.MethodJWT:
		return &FieldError{"Provider", fmt.Errorf("the client authenticates at the identity provider by a secret (%s)", rules.ExtEMAIdPClientAuth)}
	case c.Client == nil && c.CIMD == "":
		return &FieldError{"Client", fmt.Errorf("it goes with a client that the server's issuer knows: one that is registered beforehand, or a client ID metadata document (%s)", rules.ExtEMAGrant)}
	case c.Client != nil && c.Client.Issuer == "" || c.Client == nil && c.Issuer == "" && len(c.Issuers) == 0:
		return &FieldError{"Client", fmt.Errorf("it goes with the issuer that the client belongs to (%s)", rules.ExtEMAAudience)}
	case c.Key != nil:
		return &FieldError{"Key", fmt.Errorf("the client authenticates by a secret, or not at all")}
	default:
		if bad := wire.CheckURL(p.Issuer, wire.URLPolicy{AllowLoopbackHTTP: c.Loopback}); bad != nil {
			return &FieldError{"Provider", bad}
		}
	}
	if c.Client == nil && c.Issuer != "" && len(c.Issuers) == 0 {
		c.Issuers = []string{c.Issuer}
	}
	return nil
}

// checkIdentity refuses a login at an identity provider that is not told which client it
// is there.
func checkIdentity(c *states.Config) error {
	switch {
	case c.Client == nil || c.Client.Issuer == "":
		return &FieldError{"Client", fmt.Errorf("a login at an identity provider goes with a client that is registered there, and with its issuer (%s)", rules.ExtEMAIdPClientAuth)}
	case c.Key != nil || c.Provider != nil:
		return &FieldError{"Provider", fmt.Errorf("it is the identity provider itself; the client authenticates by a secret, or not at all")}
	}
	return nil
}

// checkQuirk refuses what is no quirk of docs/decision-tables.md#t10, a rule above
// all, and the wrong number of values.
func checkQuirk(q states.Quirk) error {
	if q.Name.Known() {
		if n := q.Name.Values(); len(q.Values) != n {
			return fmt.Errorf("%s takes %d values, not %d", q.Name, n, len(q.Values))
		}
		return nil
	}
	if r, ok := rules.Lookup(rules.ID(q.Name)); ok {
		return fmt.Errorf("%s is a rule that no quirk bends (%s); docs/decision-tables.md#t10 lists the quirks", r.ID, r.Clause)
	}
	return fmt.Errorf("%q is no quirk; docs/decision-tables.md#t10 lists the quirks", q.Name)
}
