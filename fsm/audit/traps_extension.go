package audit

import (
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// extensionTraps say something of clients that use an extension: bound tokens (RFC 9449) or
// the device grant (RFC 8628). To all others they do not apply.
var extensionTraps = []Trap{
	observes(provable(inRun(trap("dpop-proof", High, Replay, "Takes proofs of possession, and lets the token expire while the client runs.", "Each proof is made for its request, by one key, and goes with each request of a bound token.", "Make a new proof for each request, with its method and address and, at the resource, the digest of the token.", judgeProofForms, nil,
		rules.ExtDPoPProofForm, rules.ExtDPoPHTU, rules.ExtDPoPFresh, rules.ExtDPoPOneHeader, rules.ExtDPoPTokenProof, rules.ExtDPoPScheme, rules.ExtDPoPRefreshKey), 1))),
	nonces(provable(trap("dpop-nonce", Medium, Interop, "Demands proofs with a nonce, at the issuer and at the resource.", "The client repeats the request once with the nonce, and gets through.", "After use_dpop_nonce repeat the request once, with the nonce of the answer.", proving(getsThrough), nil, rules.ExtDPoPASNonce, rules.ExtDPoPRSNonce, rules.ExtDPoPNonceScope))),
	provable(trap("dpop-storm", Medium, DoS, "Demands another nonce at the issuer after each proof.", "The client repeats each request once at most.", "Repeat a request once for a nonce, then give up.", proving(atMostProofs(LegToken, LegRefresh)), []string{"dpop-nonce-endless"}, rules.ExtDPoPNonceCap)),
	provable(trap("dpop-storm-call", Medium, DoS, "Demands another nonce at the resource after each proof.", "The client repeats each request once at most.", "Repeat a request once for a nonce, then give up.", proving(atMostProofs(LegMCP)), []string{"rs-dpop-nonce-endless"}, rules.ExtDPoPNonceCap)),
	provable(trap("dpop-alg", High, Takeover, "Lists none and HS256 as the algorithms for proofs.", "The client signs with neither.", "Sign proofs with an asymmetric algorithm, or send none.", judgeProofAlgs, []string{"asm-dpop-symmetric"}, rules.ExtDPoPAlgList)),

	polling(trap("device-pace", Medium, DoS, "Answers the polls of the device grant authorization_pending, slow_down and then a token.", "The client waits for the interval, and five seconds longer after slow_down.", "Wait between polls for the interval, and add five seconds to it at slow_down.", judgePace, nil, rules.ExtDevicePoll, rules.ExtDeviceSlowDown), "authorization_pending", "slow_down"),
	polling(trap("device-denied", Medium, DoS, "Answers the first poll of the device grant access_denied.", "The client neither polls again nor begins anew by itself.", "Tell the user and stop.", judgeDeviceEnd, []string{"device-denied"}, rules.ExtDeviceEnd)),
	polling(trap("device-expired", Medium, DoS, "Answers the first poll of the device grant expired_token.", "The client neither polls again nor begins anew by itself.", "Tell the user that the code has expired, and stop.", judgeDeviceEnd, []string{"device-expired"}, rules.ExtDeviceEnd)),
	polling(trap("device-address", High, Phishing, "Names a javascript: address as the page of the device grant.", "The client does not open it.", "Show the address as text, and open https, or http on loopback, only.", judgeDevicePage, []string{"device-uri-script"}, rules.ExtDeviceVerificationURI)),
	polling(trap("device-code", Medium, Phishing, "Puts terminal escapes into the code that the user has to enter.", "The client's output does not hold them.", "Escape what a server wrote.", judgeDevicePage, []string{"device-user-code-escapes"}, rules.ExtDeviceVerificationURI)),
}

func provable(t Trap) Trap { t.Proofs = true; return t }
func nonces(t Trap) Trap   { t.ProofNonces = true; return t }

// pollPatience is how long a client that waits as it should has for the polls of one login.
const pollPatience = 30 * time.Second

// deviceInterval is the interval between polls that the traps name.
const deviceInterval = time.Second

// polling shortens the interval of the device grant, and answers the first polls.
func polling(t Trap, answers ...string) Trap {
	t.Interval, t.FailPoll, t.Patience = deviceInterval, answers, pollPatience
	return t
}
