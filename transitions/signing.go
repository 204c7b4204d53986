package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Signing: a client that authenticates by private_key_jwt needs a new assertion for each
// request, even if the request is tried again. Every path to such a request leads here
// first.

// signing is the state where the assertion for a request is signed, by the state
// that sends it.
var signing = map[states.State]states.State{
	states.Exchanging: states.SigningToExchange, states.Requesting: states.SigningToRequest,
	states.Retiring: states.SigningToRetire, states.Refreshing: states.SigningToRefresh,
	states.Renewing: states.SigningToRenew, states.Polling: states.SigningToPoll, states.Disposing: states.SigningToDispose, states.Revoking: states.SigningToRevoke,
}

// signFirst gives the event in place of another if the following request needs an assertion.
var signFirst = map[Event]Event{
	CodeReceived: CodeReceivedToSign, ExchangeTrouble: ExchangeTroubleToSign,
	OwnTokenWanted: OwnTokenWantedToSign, RequestTrouble: RequestTroubleToSign,
	GrantsLeft: GrantsLeftToSign, IntentMarked: IntentMarkedToSign, IntentMarkedToRenew: IntentMarkedToSignRenewal,
	RefreshTrouble: RefreshTroubleToSign, EndpointMoved: EndpointMovedToSign,
	ObtainedUnwanted: ObtainedUnwantedToSign, LogoutReady: LogoutReadyToSign,
	MethodRetried: MethodRetriedToSign, PollDue: PollDueToSign, AssertionGiven: AssertionGivenToSign, JAGGiven: JAGGivenToSign,
	RevokedOne: RevokedOneToSign, RevocationTrouble: RevocationTroubleToSign, AskedAgain: AskedAgainToSign,
}

// orSign gives the event, or the one that leads to the signature first if c, in whose name
// the next request is made, needs one. The jti is drawn here, and the time is that of the
// request (rule clientauth-jwt-fresh).
func (k *step) orSign(on Event, c wire.Client) Event {
	if c.Method != wire.MethodJWT {
		return on
	}
	k.drawAssertion()
	return signFirst[on]
}

func (k *step) drawAssertion() {
	at := k.at
	if k.NotBefore.After(at) {
		at = k.NotBefore
	}
	k.Assertion = &states.Assertion{ID: k.Draw("jti").Reveal(), At: at}
}

// signed takes the answer to Sign; with KeyFailed it returns the reason.
func (k *step) signed() (on Event, why wire.Problem) {
	switch in := k.in.(type) {
	case states.Signed:
		if in.JWS == "" {
			return KeyFailed, k.unsigned("the signature is empty")
		}
		a := *k.Assertion
		a.Text, k.Assertion = in.JWS, &a
		return AssertionSigned, why
	case states.Unsigned:
		return KeyFailed, k.unsigned(wire.Clean(in.Detail, 200))
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		k.drawAssertion()
		return AskedAgain, why
	}
	return Illegal, why
}

// signedForToken is signed for a token request of a client, which may need a proof.
func (k *step) signedForToken(c wire.Client) (on Event, why wire.Problem) {
	if !k.Proves() {
		return k.signed()
	}
	switch in := k.in.(type) {
	case states.Signed:
		if in.JWS != "" {
			return k.proofSigned(in.JWS), why
		}
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		k.drawBoth(c)
		return AskedAgain, why
	}
	return k.signed()
}

func (k *step) unsigned(why string) wire.Problem {
	if k.Assertion == nil || k.Assertion.Text != "" {
		return wire.Problem{Rule: rules.ExtDPoPTokenProof, Detail: "the proof could not be signed: " + why}
	}
	return wire.Problem{Rule: rules.ClientauthConfidential, Detail: "the client's assertion could not be signed: " + why}
}

func signingToExchange(k *step) Event { return k.signInLogin() }

func signingToRequest(k *step) Event { return k.signInLogin() }

// signInLogin: nothing of the login is spent yet.
func (k *step) signInLogin() Event {
	if _, ok := k.in.(states.Cancelled); ok {
		return k.cancelled(Cancelled)
	}
	on, why := k.signedForToken(k.Flow.Client)
	if on == KeyFailed {
		k.fail(KeyFailed, states.PartyHost, why)
	}
	return on
}

func signingToRefresh(k *step) Event { return k.signUnderLease() }

func signingToRenew(k *step) Event { return k.signUnderLease() }

// signUnderLease: nothing was sent, so the intent is removed.
func (k *step) signUnderLease() Event {
	on, why := k.signedForToken(k.Token().Client)
	if on == KeyFailed {
		k.keepIt(KeyFailed, states.PartyHost, why)
		k.transient(KeyFailed)
	}
	return on
}

// signingToRetire: what was replaced stays in the record, for a later log out.
func signingToRetire(k *step) Event {
	if in, ok := k.in.(states.Challenged); ok {
		return k.challengedWhileRetiring(in)
	}
	on := k.signToRevoke()
	if on == KeyFailed {
		k.restAuthorized()
	}
	return on
}

func signingToDispose(k *step) Event {
	on := k.signToRevoke()
	if on == KeyFailed {
		k.rest()
	}
	return on
}

func signingToRevoke(k *step) Event { return k.signToRevoke() }

// signToRevoke: no failure of a revocation prevents the removal of the credential here
// (rule revoke-best-effort).
func (k *step) signToRevoke() Event {
	on, why := k.signed()
	if on == KeyFailed {
		k.note(wire.Finding{Rule: rules.RevokeBestEffort, Detail: "a token could not be revoked: " + why.Detail})
		k.Retiring, k.Tries = nil, 0
	}
	return on
}

// madeOutTo says in a refusal of the client which audience its assertion had, because issuers
// accept different ones (docs/decision-tables.md#t10-jwt-aud-token-endpoint).
func (k *step) madeOutTo(bad *wire.Problem, c wire.Client, at wire.ASM) *wire.Problem {
	if c.Method != wire.MethodJWT || bad.OAuth == nil || bad.OAuth.Code != wire.CodeInvalidClient {
		return bad
	}
	p := *bad
	p.Detail += "; the assertion was made out to " + wire.Clean(k.Config.Audience(at), 200)
	if p.Rule == rules.TokenRespErrorVsTransient {
		p.Rule = rules.ClientauthJWTAud
	}
	return &p
}
