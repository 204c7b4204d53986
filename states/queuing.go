package states

// enterQueuing: another process has a login under way; its result is waited for.
func enterQueuing(d *Data) []Effect {
	return []Effect{Wake{At: d.WakeAt}}
}

func invariantQueuing(d *Data) string {
	if d.Flow == nil {
		return "no login is under way"
	}
	return ""
}
