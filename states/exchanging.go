package states

import "github.com/stile-oauth/stile/states/wire"

// enterExchanging: the code is exchanged for a token.
func enterExchanging(d *Data) []Effect {
	send := post(d, wire.TokenRequest(wire.TokenParams{
		Endpoint: d.Flow.Server.TokenEndpoint, Client: d.Flow.Client,
		Code: d.code(), Verifier: d.Flow.Verifier, RedirectURI: d.Flow.RedirectURI, Resource: d.Flow.Resource,
	}))
	send.Once = true
	return []Effect{send}
}

func invariantExchanging(d *Data) string {
	if d.Flow == nil || d.Flow.State == "" || d.Flow.Verifier == "" {
		return "state and verifier were not drawn"
	}
	if !d.Flow.hasServer() {
		return "no issuer was found"
	}
	return ""
}
