package states

// enterChoosingIssuer: the host is asked which issuer to use.
func enterChoosingIssuer(d *Data) []Effect {
	return []Effect{Ask{Serial: d.Serial, Question: AskIssuer, Subject: d.Flow.Resource, Options: d.Flow.Issuers, Default: d.Flow.Issuers[0], Deadline: d.Flow.Deadline}}
}

func invariantChoosingIssuer(d *Data) string {
	if d.Flow == nil || !d.Flow.hasIssuer() {
		return "no issuer was named"
	}
	return ""
}
