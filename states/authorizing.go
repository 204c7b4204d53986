package states

// enterAuthorizing: a human decides in a browser.
func enterAuthorizing(d *Data) []Effect {
	return []Effect{Wake{At: d.WakeAt}, visit(d)}
}

func invariantAuthorizing(d *Data) string {
	if d.Flow == nil || d.Flow.State == "" || d.Flow.Verifier == "" {
		return "state and verifier were not drawn"
	}
	if !d.Flow.hasServer() {
		return "no issuer was found"
	}
	return ""
}
