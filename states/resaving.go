package states

// enterResaving: the store failed with a result in hand: the token is handed out, and storing it is tried again.
func enterResaving(d *Data) []Effect {
	return []Effect{grantOf(d, d.Obtained), saveCredential(d)}
}

func invariantResaving(d *Data) string {
	if d.Obtained == nil {
		return "nothing was obtained"
	}
	return ""
}
