package states

// enterRelinquishing: the refresh token is given up, and the intent says that
// nobody is at work on it. How often it was sent stays, so that nobody sends it
// again.
func enterRelinquishing(d *Data) []Effect {
	return []Effect{saveRecord(d)}
}

func invariantRelinquishing(d *Data) string {
	if d.Lease.Fence == 0 {
		return "the lease is not held"
	}
	if d.Record == nil || d.Record.Intent == nil || d.Fault == nil {
		return "there is no intent, or no reason to end it"
	}
	return ""
}
