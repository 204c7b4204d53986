package states

// enterClaiming: the parked login is claimed: one replica only goes on with the callback.
func enterClaiming(d *Data) []Effect {
	return []Effect{Claim{Serial: d.Serial, Key: d.Config.LoginKey(StateHash(d.Flow.State)), Expected: d.Flow.Login}}
}

func invariantClaiming(d *Data) string {
	if d.Flow == nil || d.Flow.State == "" || d.Flow.Verifier == "" {
		return "state and verifier were not drawn"
	}
	if !d.Flow.hasServer() {
		return "no issuer was found"
	}
	return ""
}
