package states

// enterPruning: the new token is handed out; grants that it has replaced are removed from the record.
func enterPruning(d *Data) []Effect {
	return []Effect{grant(d), saveRecord(d)}
}

func invariantPruning(d *Data) string {
	switch {
	case d.Token() == nil:
		return "no token is held"
	case d.Flow != nil:
		return "a login is under way"
	}
	return ""
}
