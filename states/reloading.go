package states

// enterReloading: under the lease, the credential is read before anything is believed.
func enterReloading(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.CredentialKey()}}
}

func invariantReloading(d *Data) string {
	if d.Lease.Fence == 0 {
		return "the lease is not held"
	}
	return ""
}
