package states

// enterErasing: the credential is removed.
func enterErasing(d *Data) []Effect {
	return []Effect{Delete{Serial: d.Serial, Key: d.Config.CredentialKey(), Expected: d.Entry}}
}
