package states

// enterDisowning: the refresh token is dead: it is dropped, and only it.
func enterDisowning(d *Data) []Effect {
	return []Effect{saveRecord(d)}
}

func invariantDisowning(d *Data) string {
	if d.Lease.Fence == 0 {
		return "the lease is not held"
	}
	if d.Record == nil {
		return "no record is at hand"
	}
	return ""
}
