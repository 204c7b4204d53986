package states

import "github.com/stile-oauth/stile/states/wire"

// enterDropping: a registration that the issuer no longer knows is removed, or a
// client id that was given by hand and that the issuer does not take.
func enterDropping(d *Data) []Effect {
	return []Effect{Delete{Serial: d.Serial, Key: d.Config.RegistrationKey(d.Flow.Server.Issuer), Expected: d.Flow.Registration}}
}

func invariantDropping(d *Data) string {
	if d.Flow == nil || !d.Flow.hasServer() {
		return "no issuer was found"
	}
	if d.Flow.Client.Source == wire.SourceAsked && d.Fault == nil {
		return "a client id that was given is dropped, and the login did not fail"
	}
	return ""
}
