package states

import "github.com/stile-oauth/stile/states/wire"

// enterChoosingScopes: the host is asked which of the scopes to request.
func enterChoosingScopes(d *Data) []Effect {
	return []Effect{Ask{Serial: d.Serial, Question: AskScopes, Subject: d.Flow.Resource, Options: d.Flow.Scopes, Default: wire.JoinScope(d.Flow.Scopes), Deadline: d.Flow.Deadline}}
}

func invariantChoosingScopes(d *Data) string {
	if d.Flow == nil || !d.Flow.hasIssuer() {
		return "no issuer was named"
	}
	return ""
}
