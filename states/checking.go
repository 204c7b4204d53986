package states

// enterChecking: while the human decides, the store is asked whether another replica has finished the login.
func enterChecking(d *Data) []Effect {
	return []Effect{Wake{At: d.Flow.Deadline}, Load{Serial: d.Serial, Key: d.Config.CredentialKey()}}
}

func invariantChecking(d *Data) string {
	if d.Flow == nil || d.Flow.State == "" || d.Flow.Verifier == "" {
		return "state and verifier were not drawn"
	}
	if !d.Flow.hasServer() {
		return "no issuer was found"
	}
	return ""
}
