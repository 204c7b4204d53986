package states

// enterTallying: the attempt to get more scope is counted.
func enterTallying(d *Data) []Effect {
	return []Effect{Save{Serial: d.Serial, Key: d.Config.LedgerKey(), Value: mustEncode(d.Flow.Ledger), Expected: d.Flow.LedgerAt, Expires: d.At.Add(LedgerLife)}}
}

func invariantTallying(d *Data) string {
	if d.Flow == nil {
		return "no login is under way"
	}
	return ""
}
