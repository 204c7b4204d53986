package states

// enterApprovingResource: the host is asked whether the resource is acceptable.
func enterApprovingResource(d *Data) []Effect {
	return []Effect{Ask{Serial: d.Serial, Question: AskResource, Subject: d.Flow.Resource, Options: []string{"yes", "no"}, Default: "yes", Deadline: d.Flow.Deadline}}
}

func invariantApprovingResource(d *Data) string {
	if d.Flow == nil || !d.Flow.hasIssuer() {
		return "no issuer was named"
	}
	return ""
}
