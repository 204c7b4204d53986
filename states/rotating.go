package states

// enterRotating: the refreshed credential is stored over the one it came from.
func enterRotating(d *Data) []Effect {
	return []Effect{saveCredential(d)}
}

func invariantRotating(d *Data) string {
	if d.Obtained == nil {
		return "nothing was obtained"
	}
	return ""
}
