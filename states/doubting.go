package states

// enterDoubting: the refresh token was refused: the credential is read again before that is believed.
func enterDoubting(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.CredentialKey()}}
}

func invariantDoubting(d *Data) string {
	if d.Lease.Fence == 0 {
		return "the lease is not held"
	}
	return ""
}
