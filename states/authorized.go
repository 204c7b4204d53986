package states

// enterAuthorized: a token is held and handed out.
func enterAuthorized(d *Data) []Effect {
	var out []Effect
	if d.Fault != nil {
		out = append(out, Report{Fault: *d.Fault})
	}
	out = append(out, grant(d))
	if !d.WakeAt.IsZero() {
		out = append(out, Wake{At: d.WakeAt})
	}
	return out
}

func invariantAuthorized(d *Data) string {
	if d.Token() == nil {
		return "no token is held"
	}
	if d.Flow != nil {
		return "a login is under way"
	}
	return ""
}
