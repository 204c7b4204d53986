package states

// enterFiling: the registration is stored.
func enterFiling(d *Data) []Effect {
	r := Registration{Version: RecordVersion, Client: d.Flow.Client, Issuer: d.Flow.Server.Issuer, At: d.At}
	return []Effect{Save{Serial: d.Serial, Key: d.Config.RegistrationKey(d.Flow.Server.Issuer), Value: mustEncode(&r), Expected: d.Flow.Registration, NotBefore: d.NotBefore}}
}

func invariantFiling(d *Data) string {
	if d.Flow == nil || d.Flow.Client.ID == "" || !d.Flow.hasServer() {
		return "no client is at hand"
	}
	return ""
}
