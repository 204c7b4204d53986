package states

// enterStepUp: more scope is needed: what was tried before is read.
func enterStepUp(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.LedgerKey()}}
}

func invariantStepUp(d *Data) string {
	if d.Flow == nil || d.Token() == nil {
		return "no token is held, or no login is under way"
	}
	return ""
}
