package states

// enterParking: the login is stored, so that any replica can go on with it.
func enterParking(d *Data) []Effect {
	f := *d.Flow
	f.Callback, f.Candidates = "", nil
	l := Login{Version: RecordVersion, Config: d.Config, Flow: &f, Entry: d.Entry}
	return []Effect{Save{Serial: d.Serial, Key: d.Config.LoginKey(StateHash(f.State)), Value: mustEncode(&l), Expires: f.Deadline.Add(GraceAfterHuman)}}
}

func invariantParking(d *Data) string {
	if d.Flow == nil || d.Flow.State == "" || d.Flow.Verifier == "" {
		return "state and verifier were not drawn"
	}
	if !d.Flow.hasServer() {
		return "no issuer was found"
	}
	return ""
}
