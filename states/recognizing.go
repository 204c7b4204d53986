package states

// enterRecognizing: the mark that is there is read: it may be this login's own.
func enterRecognizing(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.MarkKey()}}
}

func invariantRecognizing(d *Data) string {
	if d.Flow == nil {
		return "no login is under way"
	}
	return ""
}
