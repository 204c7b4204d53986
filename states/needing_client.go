package states

// enterNeedingClient: the host is asked for a client id: no other way is left.
func enterNeedingClient(d *Data) []Effect {
	return []Effect{Ask{Serial: d.Serial, Question: AskClient, Subject: d.Flow.Server.Issuer, Options: register(d), Deadline: d.Flow.Deadline}}
}

func invariantNeedingClient(d *Data) string {
	if d.Flow == nil || !d.Flow.hasServer() {
		return "no issuer was found"
	}
	return ""
}
