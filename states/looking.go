package states

// enterLooking: the credential is read again, in case the other process is done.
func enterLooking(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.CredentialKey()}}
}

func invariantLooking(d *Data) string {
	if d.Token() == nil {
		return "no token is held"
	}
	return ""
}
