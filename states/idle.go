package states

// enterIdle: nothing has begun.
func enterIdle(d *Data) []Effect {
	return nil
}

func invariantIdle(d *Data) string {
	if d.Flow != nil {
		return "a login is under way"
	}
	return ""
}
