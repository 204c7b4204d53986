package states

import "github.com/stile-oauth/stile/states/wire"

// enterDistrusting: the registration that nobody came back with is removed. A
// grant that was obtained with this client holds the client itself.
func enterDistrusting(d *Data) []Effect {
	return []Effect{Delete{Serial: d.Serial, Key: d.Config.RegistrationKey(d.Flow.Server.Issuer), Expected: d.Flow.Registration}}
}

func invariantDistrusting(d *Data) string {
	if wrong := invariantClosing(d); wrong != "" {
		return wrong
	}
	if d.Fault == nil {
		return "the login did not fail"
	}
	if c := d.Flow.Client; d.Flow.Registration == 0 || c.Source != wire.SourceAsked && (d.Flow.Registered > 0 || c.Source != wire.SourceStored) {
		return "the client is none that was stored before this login, or given by hand"
	}
	return ""
}
