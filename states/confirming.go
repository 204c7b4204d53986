package states

// enterConfirming: the mark is set; the credential is read once more, in case a login ended just before.
func enterConfirming(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.CredentialKey()}}
}

func invariantConfirming(d *Data) string {
	if d.Flow == nil {
		return "no login is under way"
	}
	return ""
}
