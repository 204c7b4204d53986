package states

// enterDiscoveringPRM: the metadata of the protected resource is fetched: who protects it.
func enterDiscoveringPRM(d *Data) []Effect {
	return []Effect{get(d, d.Flow.Candidates[d.Flow.Candidate], d.Flow.Revision)}
}

func invariantDiscoveringPRM(d *Data) string {
	if d.Flow == nil || d.Flow.Candidate >= len(d.Flow.Candidates) {
		return "no address is left to ask"
	}
	return ""
}
