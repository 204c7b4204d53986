package states

// enterReconciling: the stored credential changed during the refresh; it is read before anything is written.
func enterReconciling(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.CredentialKey()}}
}

func invariantReconciling(d *Data) string {
	if d.Obtained == nil {
		return "nothing was obtained"
	}
	return ""
}
