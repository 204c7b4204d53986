package states

import "github.com/stile-oauth/stile/states/wire"

// enterRegistering: a client is registered with the issuer (RFC 7591).
func enterRegistering(d *Data) []Effect {
	send := post(d, wire.RegistrationRequest(d.Flow.RegistrationParams(d.Config)))
	send.Once = true
	return []Effect{send}
}

func invariantRegistering(d *Data) string {
	if d.Flow == nil || !d.Flow.hasServer() {
		return "no issuer was found"
	}
	return ""
}
