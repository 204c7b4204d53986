package states

// enterDiscoveringASM: the metadata of the authorization server is fetched: where its endpoints are.
func enterDiscoveringASM(d *Data) []Effect {
	return []Effect{get(d, d.Flow.Candidates[d.Flow.Candidate], d.Flow.Revision)}
}

func invariantDiscoveringASM(d *Data) string {
	if d.Flow == nil || d.Flow.Candidate >= len(d.Flow.Candidates) {
		return "no address is left to ask"
	}
	if !d.Flow.hasIssuer() {
		return "no issuer was named"
	}
	return ""
}
