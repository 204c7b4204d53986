package states

// enterRetiring: the new token is handed out first; then a grant that it has replaced is revoked (catalogue, T9 "new
// issuer login stored").
func enterRetiring(d *Data) []Effect {
	return []Effect{grant(d), revoke(d)}
}

func invariantRetiring(d *Data) string {
	switch {
	case d.Token() == nil:
		return "no token is held"
	case d.Flow != nil:
		return "a login is under way"
	case len(d.Retiring) == 0:
		return "nothing is left to revoke"
	}
	for i := range d.Retiring {
		if d.Retiring[i].SameClient(d.Token()) {
			return "a grant of the client in use is to be revoked"
		}
	}
	return ""
}

// SameClient reports whether two grants were given to the same client by the
// same issuer. Some issuers end all grants of a client with one of them.
func (t *Token) SameClient(o *Token) bool {
	return t.Server.Issuer == o.Server.Issuer && t.Client.ID == o.Client.ID
}
