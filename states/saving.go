package states

// enterSaving: the new credential is stored.
func enterSaving(d *Data) []Effect {
	return []Effect{saveCredential(d)}
}

func invariantSaving(d *Data) string {
	if d.Flow == nil || d.Obtained == nil {
		return "nothing was obtained"
	}
	return ""
}
