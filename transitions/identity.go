package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Identity: a company's identity provider says who the user is. The user logs in there and
// nowhere else (rule ext-ema-no-as-redirect), in another machine with the same table, whose
// server is the provider.

// enterpriseWanted determines the client, and the possible addresses of the provider's
// metadata.
func (k *step) enterpriseWanted() Event {
	f, p := k.flow(), k.Config.Provider
	if g := f.Server.GrantTypes; g != nil && !slices.Contains(g, string(states.WorkloadGrant)) {
		k.note(wire.Finding{Rule: rules.ExtEMADiscovery, Detail: "grant_types_supported does not list the jwt-bearer grant"})
	}
	f.Client = wire.Client{ID: k.Config.CIMD, Method: wire.MethodNone, Source: wire.SourceCIMD}
	if k.Config.Client != nil {
		f.Client = k.configured()
		if on := k.chooseMethod(); on != Illegal {
			return on
		}
	}
	if p.Secret == "" {
		k.note(wire.Finding{Rule: rules.ExtEMAIdPClientAuth, Detail: "the client has no secret at the identity provider, and does not prove there who it is"})
	}
	f.Requested = wire.WithoutOfflineAccess(f.Scopes)
	f.Provider = &states.Provider{Client: wire.Client{ID: p.ID, Method: p.Method, Source: wire.SourceConfigured}}
	f.Candidates, f.Candidate, f.Trouble, f.Remembered = k.Config.ASMAddresses(p.Issuer, false), 0, false, nil
	k.Tries, k.IdentityRefused = 0, false
	return EnterpriseWanted
}

// providerLogin begins a login at an identity provider: it is its own issuer, and there is
// no resource.
func (k *step) providerLogin() Event {
	f := k.flow()
	f.Issuers, f.Issuer = []string{k.Config.Client.Issuer}, 0
	f.Scopes = wire.Union([]string{"openid"}, k.Config.Scopes)
	k.probeIssuer()
	return ProviderLogin
}

func discoveringProvider(k *step) Event {
	return k.probed(document{rules.ASM5xxNotAbsent, ASMTrouble, ASMRefused})
}

// judgeProvider takes the metadata of the identity provider. The provider is not an MCP
// authorization server, so it need not list code challenge methods (rule
// ext-ema-idp-no-pkce-list).
func (k *step) judgeProvider(r wire.Response) Event {
	c := k.Config
	asm, found, bad := wire.ParseASM(r, wire.ASMPolicy{
		Issuer: c.Provider.Issuer, Strict: c.Strict, Machine: true, URL: wire.URLPolicy{AllowLoopbackHTTP: c.Loopback},
	})
	k.note(found...)
	switch {
	case bad == nil:
	case bad.Refuse:
		return k.fail(ASMRefused, states.PartyPeer, *bad)
	default:
		k.remember(bad)
		return k.nextProvider()
	}
	f := k.flow()
	client := f.Provider.Client
	client.Secret = c.Provider.Secret
	client, found, bad = wire.ChooseMethod(client, asm.AuthMethods, client.Method != "")
	k.note(found...)
	if bad != nil {
		return k.fail(MethodUnusable, states.PartyPeer, *bad)
	}
	client.Secret = ""
	f.Provider = &states.Provider{Server: asm, Client: client}
	f.Candidates, f.Candidate, f.Remembered, k.Tries = nil, 0, nil, 0
	return ProviderFound
}

func (k *step) nextProvider() Event {
	f := k.flow()
	if k.nextCandidate() {
		return ASMMissing
	}
	r := f.Remembered
	switch {
	case r != nil && r.Rule == rules.ASMIssuerMatch:
		return k.fail(ASMIssuerMismatch, states.PartyPeer, *r)
	case f.Trouble:
		return k.inTrouble(ASMUnreachable, partyInTrouble(*r), *r)
	case r != nil && !remembersLess(r):
		return k.fail(ASMRefused, states.PartyPeer, *r)
	}
	return k.fail(ASMAbsent, states.PartyPeer, wire.Problem{
		Rule: rules.ASMServed, Detail: "no metadata was found for the identity provider " + wire.Clean(k.Config.Provider.Issuer, 200),
	})
}

// identified takes the ID token, and checks it before it is sent back to its provider.
func (k *step) identified() (on Event, why wire.Problem) {
	p := k.Config.Provider
	switch in := k.in.(type) {
	case states.Signed:
		if _, bad := wire.JudgeIdentity(in.JWS, wire.IdentityPolicy{Provider: p.Issuer, Client: p.ID, At: k.at}); bad != nil {
			return IdentityUnusable, *bad
		}
		k.Assertion = &states.Assertion{At: k.at, Text: in.JWS}
		k.carryProof()
		return IdentityGiven, why
	case states.Unsigned:
		why = wire.Problem{Rule: rules.ExtEMARenew, Detail: "there is no ID token of the user: " + wire.Clean(in.Detail, 200)}
		if in.NeedsUser {
			return UserNeeded, why
		}
		return IdentityMissing, why
	}
	return Illegal, why
}

func identifying(k *step) Event {
	if _, ok := k.in.(states.Cancelled); ok {
		return k.cancelled(Cancelled)
	}
	on, why := k.identified()
	switch on {
	case IdentityMissing:
		return k.inTrouble(on, states.PartyHost, why)
	case IdentityUnusable, UserNeeded:
		return k.fail(on, states.PartyHost, why)
	}
	return on
}

// staleIdentity reports whether an OAuth error says that the provider did not accept an ID
// token. Once, the machine then asks for another, because the user's session at the provider
// may have ended.
func staleIdentity(bad *wire.Problem) bool {
	return bad.OAuth.Code == wire.CodeInvalidGrant
}

// providerClient is the client at the provider, with the configured secret.
func (k *step) providerClient(p *states.Provider) wire.Client {
	c := p.Client
	c.Secret = k.Config.Provider.Secret
	return c
}

func providerWith(p *states.Provider, c wire.Client) *states.Provider {
	c.Secret = ""
	return &states.Provider{Server: p.Server, Client: c}
}

// identifyingAgain: if only the user can help, the token is no longer renewed, and the next
// request that needs a token begins a login.
func identifyingAgain(k *step) Event {
	on, why := k.identified()
	switch on {
	case IdentityMissing:
		return k.transient(k.keepIt(on, states.PartyHost, why))
	case IdentityUnusable, UserNeeded:
		return k.giveUp(on, states.PartyHost, why)
	}
	return on
}

// decideEnterprise: a new token is requested with the provider and the client that are
// configured now. If they have changed, a new login is needed.
func (k *step) decideEnterprise(t *states.Token) (*states.Token, bool) {
	p := k.Config.Provider
	if p == nil || t.Provider == nil || p.ID != t.Provider.Client.ID || p.Issuer != t.Provider.Server.Issuer && !oneSlash(p.Issuer, t.Provider.Server.Issuer) {
		return nil, false
	}
	k.IdentityRefused = false
	c := k.Config.Client
	if c == nil {
		return t, t.Client.ID == k.Config.CIMD
	}
	if c.ID != t.Client.ID {
		return nil, false
	}
	if c.Secret != t.Client.Secret {
		if chosen, _, bad := wire.ChooseMethod(k.configured(), t.Server.AuthMethods, c.Method != ""); bad == nil {
			now := *t
			now.Client = chosen
			return &now, true
		}
	}
	return t, true
}
