package states

// enterRecalling: the credential is read, to revoke what it holds.
func enterRecalling(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.CredentialKey()}}
}
