package states

// enterLeasing: the right to refresh is asked for.
func enterLeasing(d *Data) []Effect {
	return []Effect{Lease{Serial: d.Serial, Key: d.Config.CredentialKey(), TTL: d.Config.LeaseFor()}}
}

func invariantLeasing(d *Data) string {
	if d.Token() == nil {
		return "no token is held"
	}
	return ""
}
