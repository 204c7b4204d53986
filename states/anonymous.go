package states

// enterAnonymous: no credential is held: requests go out bare until the server challenges one.
func enterAnonymous(d *Data) []Effect {
	if d.Fault != nil {
		return []Effect{Report{Fault: *d.Fault}}
	}
	return nil
}

func invariantAnonymous(d *Data) string {
	if d.Flow != nil {
		return "a login is under way"
	}
	return ""
}
