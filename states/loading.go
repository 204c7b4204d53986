package states

// enterLoading: the stored credential is read.
func enterLoading(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.CredentialKey()}}
}
