package states

// enterRevoking: the tokens are revoked at their issuer (RFC 7009).
func enterRevoking(d *Data) []Effect {
	return []Effect{revoke(d)}
}

func invariantRevoking(d *Data) string {
	if len(d.Retiring) == 0 {
		return "nothing is left to revoke"
	}
	return ""
}
