package states

// enterClosing: the parked login is removed, so that its callback finds nothing.
func enterClosing(d *Data) []Effect {
	return []Effect{Delete{Serial: d.Serial, Key: d.Config.LoginKey(StateHash(d.Flow.State)), Expected: d.Flow.Login}}
}

func invariantClosing(d *Data) string {
	if d.Flow == nil || d.Flow.State == "" || d.Flow.Verifier == "" {
		return "state and verifier were not drawn"
	}
	if !d.Flow.hasServer() {
		return "no issuer was found"
	}
	if !d.ended() {
		return "the login has no result"
	}
	return ""
}
