package states

// enterMerging: the stored credential changed meanwhile; it is read, so that nothing of it is lost.
func enterMerging(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.CredentialKey()}}
}

func invariantMerging(d *Data) string {
	if d.Flow == nil || d.Obtained == nil {
		return "nothing was obtained"
	}
	return ""
}
