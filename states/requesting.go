package states

import "github.com/stile-oauth/stile/states/wire"

// Requesting: the client asks for a token in its own name (client credentials, OAuth 2.1
// §4.2). No user takes part, and there is no refresh token. Another token is asked for in
// the same way, under the lease.
const (
	Requesting State = "Requesting"
	Renewing   State = "Renewing"
)

var requestingRoom = []about{
	{
		state: Requesting, group: groupLogin, doing: "asking for a token in the client's own name",
		says: "The client asks for a token in its own name.",
		enter: func(d *Data) []Effect {
			f := d.Flow
			return []Effect{post(d, wire.OwnRequest(wire.TokenParams{
				Endpoint: f.Server.TokenEndpoint, Client: d.proven(f.Client), Scopes: f.Requested, Resource: f.Resource, Proof: d.proof(),
			}))}
		},
		holds: all(issuerFound, provable(clientOfLogin), proven),
	},
	{
		state: Renewing, group: groupRefresh, lease: true, doing: "asking for another token in the client's own name",
		says: "The client asks for another token in its own name.",
		enter: func(d *Data) []Effect {
			t := d.Token()
			return []Effect{withinLease(d, post(d, wire.OwnRequest(wire.TokenParams{
				Endpoint: t.Server.TokenEndpoint, Client: d.proven(t.Client), Scopes: t.Requested, Resource: t.Resource, Proof: d.proof(),
			})))}
		},
		holds: all(leaseHeld, tokenHeld, intentMarked, provable(clientOfToken), proven),
	},
}
