package states

// enterDisposing: the credential is gone: what was obtained meanwhile is revoked.
func enterDisposing(d *Data) []Effect {
	return []Effect{revoke(d)}
}

func invariantDisposing(d *Data) string {
	if len(d.Retiring) == 0 {
		return "nothing is left to revoke"
	}
	return ""
}
