package states

// enterRereadingToExchange: the token endpoint is not there for the code; what the issuer says of its endpoints is read once more.
func enterRereadingToExchange(d *Data) []Effect { return []Effect{reread(d)} }

func invariantRereadingToExchange(d *Data) string { return rereads(d) }
