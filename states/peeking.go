package states

// enterPeeking: the credential is read again, in case the other login has ended.
func enterPeeking(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.CredentialKey()}}
}

func invariantPeeking(d *Data) string {
	if d.Flow == nil {
		return "no login is under way"
	}
	return ""
}
