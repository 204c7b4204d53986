package states

// enterRemarking: while the human decides, the mark of the login is renewed, so that it outlives this process for a minute only.
func enterRemarking(d *Data) []Effect {
	m := d.ownMark()
	return []Effect{Wake{At: d.Flow.Deadline}, Save{
		Serial: d.Serial, Key: d.Config.MarkKey(), Value: mustEncode(&m), Expected: d.Flow.Mark, Expires: d.Flow.MarkUntil,
	}}
}

func invariantRemarking(d *Data) string {
	if d.Flow == nil || d.Flow.State == "" || d.Flow.Verifier == "" {
		return "state and verifier were not drawn"
	}
	if !d.Flow.hasServer() {
		return "no issuer was found"
	}
	return ""
}
