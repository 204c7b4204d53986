package states

// enterBinding: the host is asked for an address that already listens for the redirect.
func enterBinding(d *Data) []Effect {
	options := d.Config.Redirects
	if len(d.Flow.Client.RedirectURIs) > 0 {
		options = d.Flow.Client.RedirectURIs
	}
	var first string
	if len(options) > 0 {
		first = options[0]
	}
	return []Effect{Ask{Serial: d.Serial, Question: AskRedirect, Subject: d.Flow.Server.Issuer, Options: options, Default: first, Deadline: d.Flow.Deadline}}
}

func invariantBinding(d *Data) string {
	if d.Flow == nil || !d.Flow.hasServer() {
		return "no issuer was found"
	}
	return ""
}
