package states

// enterFindingClient: a client that this issuer registered before is looked for.
func enterFindingClient(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.RegistrationKey(d.Flow.Server.Issuer)}}
}

func invariantFindingClient(d *Data) string {
	if d.Flow == nil || !d.Flow.hasServer() {
		return "no issuer was found"
	}
	return ""
}
