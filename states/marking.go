package states

// enterMarking: the intent to refresh is stored, before anything is sent.
func enterMarking(d *Data) []Effect {
	return []Effect{saveRecord(d)}
}

func invariantMarking(d *Data) string {
	if d.Lease.Fence == 0 || d.Token() == nil || d.Record.Intent == nil {
		return "the token or the intent is missing"
	}
	return ""
}
