package states

// Signing: the client proves who it is by a signed assertion, made anew for every
// request. The driver holds the key.
const (
	SigningToExchange State = "Signing-To-Exchange"
	SigningToRequest  State = "Signing-To-Request"
	SigningToRetire   State = "Signing-To-Retire"
	SigningToRefresh  State = "Signing-To-Refresh"
	SigningToRenew    State = "Signing-To-Renew"
	SigningToDispose  State = "Signing-To-Dispose"
	SigningToRevoke   State = "Signing-To-Revoke"
)

var signingRoom = []about{
	{
		state: SigningToExchange, group: groupLogin, doing: "signing for the token request",
		says:  "The client's assertion or the proof for the exchange of the code is signed.",
		enter: signInLogin,
		holds: all(loginDrawn, toSign(clientOfLogin)),
	},
	{
		state: SigningToRequest, group: groupLogin, doing: "signing for the token request",
		says:  "The client's assertion or the proof for a token in its own name is signed.",
		enter: signInLogin,
		holds: all(issuerFound, toSign(clientOfLogin)),
	},
	{
		state: SigningToRetire, group: groupLogin, doing: "signing the client's assertion",
		says: "The new token is handed out, and the client's assertion for the revocation of what it has replaced is signed.",
		enter: func(d *Data) []Effect {
			return []Effect{grant(d), sign(d, d.Retiring[0].Client, d.Retiring[0].Server)}
		},
		holds: all(tokenHeld, noLogin, toRevoke, othersToRevoke, assertionDrawn),
	},
	{
		state: SigningToRefresh, group: groupRefresh, lease: true, doing: "signing for the token request",
		says:  "The client's assertion or the proof for the refresh is signed.",
		enter: signForHeld,
		holds: all(leaseHeld, tokenHeld, intentMarked, toSign(clientOfToken)),
	},
	{
		state: SigningToRenew, group: groupRefresh, lease: true, doing: "signing for the token request",
		says:  "The client's assertion or the proof for another token in its own name is signed.",
		enter: signForHeld,
		holds: all(leaseHeld, tokenHeld, intentMarked, toSign(clientOfToken)),
	},
	{
		state: SigningToDispose, group: groupRefresh, doing: "signing the client's assertion",
		says:  "The client's assertion for the revocation of what is no longer wanted is signed.",
		enter: signForRevocation,
		holds: all(toRevoke, assertionDrawn),
	},
	{
		state: SigningToRevoke, group: groupLogout, doing: "signing the client's assertion",
		says:  "The client's assertion for the revocation is signed.",
		enter: signForRevocation,
		holds: all(toRevoke, assertionDrawn),
	},
}

func signInLogin(d *Data) []Effect { return []Effect{d.signing(d.Flow.Client, d.Flow.Server)} }

func signForHeld(d *Data) []Effect {
	return []Effect{d.signing(d.Token().Client, d.Token().Server)}
}

func signForRevocation(d *Data) []Effect {
	return []Effect{sign(d, d.Retiring[0].Client, d.Retiring[0].Server)}
}
