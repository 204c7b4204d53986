package states

// enterWithdrawing: the mark of the login is removed.
func enterWithdrawing(d *Data) []Effect {
	return []Effect{Delete{Serial: d.Serial, Key: d.Config.MarkKey(), Expected: d.Flow.Mark}}
}

func invariantWithdrawing(d *Data) string {
	if d.Flow == nil {
		return "no login is under way"
	}
	if !d.ended() {
		return "the login has no result"
	}
	return ""
}
