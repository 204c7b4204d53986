package states

// enterFailed: it did not come about; the report says why.
func enterFailed(d *Data) []Effect {
	if d.Fault == nil {
		return nil
	}
	return []Effect{Report{Fault: *d.Fault}}
}

func invariantFailed(d *Data) string {
	if d.Fault == nil {
		return "failed without a reason"
	}
	return ""
}
