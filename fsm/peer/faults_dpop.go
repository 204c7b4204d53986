package peer

// Faults about proofs of possession (RFC 9449). They act where DPoP is set.
var dpopFaults = []Fault{
	{"asm-dpop-symmetric", "metadata", "ext-dpop-alg-list", "none and HS256 are the algorithms for proofs", func(r *reply, _ scene) bool {
		if !r.doc.has("dpop_signing_alg_values_supported") {
			return false
		}
		r.doc.put("dpop_signing_alg_values_supported", []string{"none", "HS256"})
		return true
	}},
	{"dpop-ignored", "token", "ext-dpop-type", "proofs are not looked at, and tokens are not bound", nil},
	{"dpop-nonce-endless", "token", "ext-dpop-nonce-cap", "every proof needs another nonce", nil},
	{"dpop-clock-ahead", "token", "ext-dpop-clock", "the clock is an hour ahead, so that proofs look old", nil},
}

var dpopResourceFaults = []Fault{
	{"rs-dpop-htu", "mcp", "ext-dpop-htu", "htu is compared with the address behind a proxy", nil},
	{"rs-dpop-nonce-endless", "mcp", "ext-dpop-nonce-cap", "every proof needs another nonce", nil},
	{"rs-dpop-clock-ahead", "mcp", "ext-dpop-clock", "the clock is an hour ahead, so that proofs look old", nil},
	{"rs-dpop-unchecked", "mcp", "ext-dpop-no-downgrade", "a bound token is taken as a bearer token", nil},
}
