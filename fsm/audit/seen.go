package audit

import "slices"

// What a trap notes about secrets before they are replaced by digests.
const (
	SeenVerifierForm = "verifier-form" // shorter than 43 characters, or with others than RFC 7636 allows
	SeenVerifierPoor = "verifier-poor" // made of only a handful of different characters
	SeenStatePoor    = "state-poor"
	SeenArguments    = "arguments " // a kind of secret follows

	SeenAssertionClient   = "assertion of another issuer or subject than the client"
	SeenAssertionAudience = "assertion for another audience than the issuer or its token endpoint"
	SeenAssertionLife     = "assertion without an end, or that ends later than in five minutes"
	SeenAssertionID       = "assertion with the jti of another one, or without one"
	SeenAssertionNone     = "assertion that is not signed"

	SeenProofType    = "a proof whose typ is not dpop+jwt"
	SeenProofAlg     = "a proof that nobody signed, or that is signed with a secret it holds itself"
	SeenProofPrivate = "a proof without a public key, or with a private one"
	SeenProofClaims  = "a proof without jti, iat, htm or htu"
	SeenProofTarget  = "a proof for another method or address than that of its request"
	SeenProofAgain   = "a proof with the jti of another one"
	SeenProofTime    = "a proof from more than five minutes before or after its request"
	SeenProofToken   = "a proof without the digest of the token that it goes with"
	SeenProofKey     = "a refresh with a proof by another key"
)

// saw reports whether a trap noted something.
func (e *Evidence) saw(what string) bool { return slices.Contains(e.Seen, what) }
