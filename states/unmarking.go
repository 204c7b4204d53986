package states

// enterUnmarking: the refresh token was not spent: the intent is taken back.
func enterUnmarking(d *Data) []Effect {
	return []Effect{saveRecord(d)}
}

func invariantUnmarking(d *Data) string {
	if d.Lease.Fence == 0 {
		return "the lease is not held"
	}
	if d.Record == nil || d.Fault == nil {
		return "there is no record, or no reason to take the intent back"
	}
	return ""
}
