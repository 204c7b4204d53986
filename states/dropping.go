package states

// enterDropping: a registration that the issuer no longer knows is removed.
func enterDropping(d *Data) []Effect {
	return []Effect{Delete{Serial: d.Serial, Key: d.Config.RegistrationKey(d.Flow.Server.Issuer), Expected: d.Flow.Registration}}
}

func invariantDropping(d *Data) string {
	if d.Flow == nil || !d.Flow.hasServer() {
		return "no issuer was found"
	}
	return ""
}
