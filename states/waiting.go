package states

// enterWaiting: another process refreshes; its result is waited for.
func enterWaiting(d *Data) []Effect {
	return []Effect{Wake{At: d.WakeAt}}
}

func invariantWaiting(d *Data) string {
	if d.Token() == nil {
		return "no token is held"
	}
	return ""
}
