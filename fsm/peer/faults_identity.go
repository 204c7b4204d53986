package peer

// Faults of an identity provider. They act where ASConfig.Identity is set.
var identityFaults = []Fault{
	{"id-token-expired", "token", "ext-ema-renew", "ID tokens that have expired", nil},
	{"id-token-aud-wrong", "token", "ext-ema-exchange", "ID tokens for another client", nil},
	{"exchange-refused", "token", "ext-ema-pairing", "every exchange of an ID token is refused", nil},
	{"exchange-type-wrong", "token", "ext-ema-exchange-response", "the answer to an exchange names an access token", func(r *reply, _ scene) bool {
		if !r.doc.has("issued_token_type") {
			return false
		}
		r.doc.put("issued_token_type", "urn:ietf:params:oauth:token-type:access_token")
		return true
	}},
	{"id-jag-typ-wrong", "token", "ext-ema-jag-typ", "ID-JAGs of the type JWT", nil},
	{"id-jag-aud-wrong", "token", "ext-ema-jag-claims", "ID-JAGs for another issuer", nil},
	{"id-jag-expired", "token", "ext-ema-jag-claims", "ID-JAGs that have expired", nil},
	{"id-jag-client-wrong", "token", "ext-ema-jag-claims", "ID-JAGs for another client", nil},
	{"id-jag-resource-wrong", "token", "ext-ema-resource", "ID-JAGs for another resource", nil},
	{"id-jag-resource-missing", "token", "ext-ema-resource", "ID-JAGs without a resource", nil},
	{"id-jag-replayed", "token", "ext-ema-replay", "ID-JAGs with the same jti each time", nil},
}
