package states

import "github.com/stile-oauth/stile/states/wire"

// Refresh: the refresh token is spent under the lease and the stored intent.
const (
	Refreshing         State = "Refreshing"
	RereadingToRefresh State = "Rereading-To-Refresh"
)

var refreshRoom = []about{
	{
		state: Refreshing, group: groupRefresh, lease: true, doing: "refreshing the token",
		says: "The refresh token is spent.",
		enter: func(d *Data) []Effect {
			t := d.Token()
			send := post(d, wire.RefreshRequest(wire.TokenParams{
				Endpoint: t.Server.TokenEndpoint, Client: d.proven(t.Client), RefreshToken: t.RefreshToken, Resource: t.Resource, Proof: d.proof(),
			}))
			send.Once = true
			return []Effect{withinLease(d, send)}
		},
		holds: all(leaseHeld, tokenHeld, intentMarked, provable(clientOfToken), proven),
	},
	{
		state: RereadingToRefresh, group: groupRefresh, lease: true, doing: "refreshing the token",
		says: "The token endpoint for the refresh is not there, so the issuer's metadata is read once more, under the lease.",
		enter: func(d *Data) []Effect {
			return []Effect{withinLease(d, get(d, d.rereadAddresses()[d.MetadataAddress-1], d.Token().Revision))}
		},
		holds: all(leaseHeld, tokenHeld, intentMarked, func(d *Data) string {
			switch {
			case d.MetadataAddress < 1 || d.MetadataAddress > len(d.rereadAddresses()):
				return "no address is left to ask"
			case d.Fault == nil:
				return "the reason for reading it once more is missing"
			}
			return ""
		}),
	},
}

// rereadAddresses are the possible addresses of the metadata of the held token's issuer.
func (d *Data) rereadAddresses() []string {
	t := d.Token()
	return d.Config.ASMAddresses(t.Server.Issuer, t.Revision == R1)
}
