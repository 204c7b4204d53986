package states

import "github.com/stile-oauth/stile/states/wire"

// Exchange: the code becomes a token.
const (
	Exchanging          State = "Exchanging"
	RereadingToExchange State = "Rereading-To-Exchange"
)

var exchangeRoom = []about{
	{
		state: Exchanging, group: groupLogin, doing: "exchanging the code",
		says: "The code is exchanged for a token.",
		enter: func(d *Data) []Effect {
			send := post(d, wire.TokenRequest(wire.TokenParams{
				Endpoint: d.Flow.Server.TokenEndpoint, Client: d.proven(d.Flow.Client),
				Code: d.code(), Verifier: d.Flow.Verifier, RedirectURI: d.Flow.RedirectURI, Resource: d.Flow.Resource, Proof: d.proof(),
			}))
			send.Once = true
			return []Effect{send}
		},
		holds: all(loginDrawn, provable(clientOfLogin), proven),
	},
	{
		state: RereadingToExchange, group: groupLogin, doing: "exchanging the code",
		says:  "The token endpoint for the code is not there, so the issuer's metadata is read once more.",
		enter: probe,
		holds: rereads,
	},
}

// code is the code of the callback that was claimed.
func (d *Data) code() wire.Secret {
	cb, p := wire.ParseCallback(d.Flow.Callback.Reveal())
	if p != nil {
		return ""
	}
	return cb.Code
}
