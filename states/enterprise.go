package states

import "github.com/stile-oauth/stile/states/wire"

// Enterprise: a company's identity provider says who the user is, and for that the client
// gets a token from the server's issuer, which nobody visits (MCP enterprise-managed
// authorization). The ID token is sent only to its provider, which gives an ID-JAG for
// it. The ID-JAG is sent to the issuer, once. Another token is obtained in the same way,
// under the lease.
const (
	ExchangingIdentity      State = "Exchanging-Identity"
	SigningToRedeem         State = "Signing-To-Redeem"
	Redeeming               State = "Redeeming"
	ExchangingIdentityAgain State = "Exchanging-Identity-Again"
	SigningToRedeemAgain    State = "Signing-To-Redeem-Again"
	RedeemingAgain          State = "Redeeming-Again"
)

var enterpriseRoom = []about{
	{
		state: ExchangingIdentity, group: groupLogin, doing: "exchanging the ID token for an ID-JAG",
		says: "The identity provider is asked to exchange the ID token for an ID-JAG.",
		enter: func(d *Data) []Effect {
			f := d.Flow
			return []Effect{post(d, d.exchange(f.Provider, f.Server, f.Requested, f.Resource))}
		},
		holds: all(issuerFound, assertionFetched, providerKnown(providerOfLogin)),
	},
	{
		state: SigningToRedeem, group: groupLogin, doing: "signing for the token request",
		says:  "The proof for the exchange of the ID-JAG is signed.",
		enter: signInLogin,
		holds: all(issuerFound, assertionFetched, providerKnown(providerOfLogin), toSign(clientOfLogin)),
	},
	{
		state: Redeeming, group: groupLogin, doing: "presenting the ID-JAG",
		says: "The ID-JAG is exchanged for a token.",
		enter: func(d *Data) []Effect {
			f := d.Flow
			return []Effect{post(d, wire.RedeemRequest(wire.TokenParams{
				Endpoint: f.Server.TokenEndpoint, Client: f.Client, Assertion: d.Assertion.Text, Scopes: f.Requested, Resource: f.Resource,
				Proof: d.proof(),
			}))}
		},
		holds: all(issuerFound, assertionFetched, providerKnown(providerOfLogin), proven),
	},
	{
		state: ExchangingIdentityAgain, group: groupRefresh, lease: true, doing: "exchanging the ID token for an ID-JAG",
		says: "The identity provider is asked to exchange the ID token for another ID-JAG.",
		enter: func(d *Data) []Effect {
			t := d.Token()
			return []Effect{withinLease(d, post(d, d.exchange(t.Provider, t.Server, t.Requested, t.Resource)))}
		},
		holds: all(leaseHeld, tokenHeld, intentMarked, assertionFetched, providerKnown(providerOfToken)),
	},
	{
		state: SigningToRedeemAgain, group: groupRefresh, lease: true, doing: "signing for the token request",
		says:  "The proof for the exchange of the ID-JAG for another token is signed.",
		enter: signForHeld,
		holds: all(leaseHeld, tokenHeld, intentMarked, assertionFetched, providerKnown(providerOfToken), toSign(clientOfToken)),
	},
	{
		state: RedeemingAgain, group: groupRefresh, lease: true, doing: "presenting the ID-JAG",
		says: "The ID-JAG is exchanged for another token.",
		enter: func(d *Data) []Effect {
			t := d.Token()
			return []Effect{withinLease(d, post(d, wire.RedeemRequest(wire.TokenParams{
				Endpoint: t.Server.TokenEndpoint, Client: t.Client, Assertion: d.Assertion.Text, Scopes: t.Requested, Resource: t.Resource,
				Proof: d.proof(),
			})))}
		},
		holds: all(leaseHeld, tokenHeld, intentMarked, assertionFetched, providerKnown(providerOfToken), proven),
	},
}

// exchange is the request for an ID-JAG for an issuer. The client's secret is the one that
// is configured now.
func (d *Data) exchange(p *Provider, at wire.ASM, scopes []string, resource string) wire.Request {
	c := p.Client
	if configured := d.Config.Provider; configured != nil {
		c.Secret = configured.Secret
	}
	return wire.ExchangeRequest(wire.TokenParams{
		Endpoint: p.Server.TokenEndpoint, Client: c, Assertion: d.Assertion.Text, Scopes: scopes, Resource: resource,
	}, at.Issuer)
}
