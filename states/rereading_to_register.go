package states

// enterRereadingToRegister: the registration endpoint is not there; what the issuer says of its endpoints is read once more.
func enterRereadingToRegister(d *Data) []Effect { return []Effect{reread(d)} }

func invariantRereadingToRegister(d *Data) string { return rereads(d) }

// reread is the Send of the issuer's metadata, read once more in a login.
func reread(d *Data) Send {
	return get(d, d.Flow.Candidates[d.Flow.Candidate], d.Flow.Revision)
}

func rereads(d *Data) string {
	switch {
	case d.Flow == nil || d.Flow.Server.Issuer == "":
		return "no issuer was found"
	case !d.Flow.Reread || d.Flow.Candidate >= len(d.Flow.Candidates):
		return "no address is left to ask"
	case d.Flow.Remembered == nil:
		return "why it is read once more is not known"
	}
	return ""
}
