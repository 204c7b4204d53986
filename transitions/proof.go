package transitions

import (
	"fmt"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Proofs of possession (DPoP, RFC 9449): each request for a bound token has a new proof, even
// if the request is tried again. The machine follows what an issuer says about proofs once
// for each request: once with its nonce, and once with its time.

// orProve is orSign for a token request, which may need a proof as well.
func (k *step) orProve(on Event, c wire.Client) Event {
	if !k.Proves() {
		return k.orSign(on, c)
	}
	k.drawBoth(c)
	return signFirst[on]
}

// drawBoth draws what the next token request needs: a proof, and the client's assertion.
func (k *step) drawBoth(c wire.Client) {
	if c.Method == wire.MethodJWT {
		k.drawAssertion()
	}
	k.drawProof()
}

func (k *step) drawProof() {
	at := k.at
	if k.NotBefore.After(at) {
		at = k.NotBefore
	}
	p := &states.Proof{ID: k.Draw("proof").Reveal(), At: at.Add(k.ClockOffset)}
	if k.Nonce != nil && k.Nonce.Issuer == k.tokenServer().Issuer {
		p.Nonce = k.Nonce.Value
	}
	if was := k.Proof; was != nil {
		p.Nonced, p.Dated = was.Nonced, was.Dated
	}
	k.Proof = p
}

// carryProof keeps, across a step, what was tried with the proof of a request.
func (k *step) carryProof() {
	if k.Proof != nil {
		p := *k.Proof
		k.Proof = &p
	}
}

// tokenServer is the issuer that the token request goes to.
func (k *step) tokenServer() wire.ASM {
	if k.Flow != nil {
		return k.Flow.Server
	}
	return k.Token().Server
}

// proofSigned takes the signature: that of the assertion, after which the proof may remain
// to be signed, or that of the proof.
func (k *step) proofSigned(jws wire.Secret) Event {
	if k.Assertion != nil && k.Assertion.Text == "" {
		a := *k.Assertion
		a.Text, k.Assertion = jws, &a
		p := *k.Proof // it is still needed
		k.Proof = &p
		return ProofNext
	}
	p := *k.Proof
	p.Text, k.Proof = jws, &p
	if k.Assertion != nil {
		a := *k.Assertion
		k.Assertion = &a
	}
	return ProofSigned
}

// heard takes the nonce from an answer of the issuer, whatever else the answer says (rule
// ext-dpop-nonce-scope).
func (k *step) heard(r wire.Response) {
	if k.Proof == nil {
		return
	}
	if n := wire.ProofNonce(r); n != "" {
		k.Nonce = &states.Nonce{Issuer: k.tokenServer().Issuer, Value: n}
	}
}

// aboutProof says what a refusal of the proof means: that the request is made once more,
// with the nonce or with the time of the issuer. Otherwise it returns the refusal with the
// rule that it is about; proof says that the refusal is about a proof.
func (k *step) aboutProof(r wire.Response, bad *wire.Problem, c wire.Client) (on Event, why *wire.Problem, proof bool) {
	if k.Proof == nil || bad.OAuth == nil {
		return Illegal, bad, false
	}
	p, about := *k.Proof, *bad
	switch bad.OAuth.Code {
	case wire.CodeUseDPoPNonce:
		about.Rule = rules.ExtDPoPNonceCap
		if p.Nonced || k.Nonce == nil || k.Nonce.Value == p.Nonce {
			return Illegal, &about, true
		}
		p.Nonced, k.Proof = true, &p
		k.drawBoth(c)
		return NonceDemanded, bad, true
	case wire.CodeInvalidDPoPProof:
		about.Rule = rules.ExtDPoPTokenProof
		if p.Dated || !k.clockLearned(r) {
			return Illegal, &about, true
		}
		p.Dated, k.Proof = true, &p
		k.drawBoth(c)
		return ClockLearned, bad, true
	}
	return Illegal, bad, false
}

// proofInLogin is aboutProof for a request that presents an assertion of another party. The
// request is made once more with a new assertion. A further refusal of the proof is not a
// refusal of the assertion.
func (k *step) proofInLogin(r wire.Response, bad *wire.Problem, c wire.Client) Event {
	on, bad, about := k.aboutProof(r, bad, c)
	if on != Illegal || !about {
		return on
	}
	return k.fail(RequestDenied, states.PartyPeer, *bad)
}

// proofAgain is proofInLogin for a renewal.
func (k *step) proofAgain(r wire.Response, bad *wire.Problem, c wire.Client) Event {
	on, bad, about := k.aboutProof(r, bad, c)
	if on != Illegal || !about {
		return on
	}
	return k.transient(k.keepIt(RefreshUnreachable, states.PartyPeer, *bad))
}

// apart is how far two clocks must differ to be the reason that a proof was refused.
const apart = 30 * time.Second

// clockLearned adopts the time of an issuer that refused a proof, if it differs from the
// time in the proof (rule ext-dpop-clock).
func (k *step) clockLearned(r wire.Response) bool {
	at, ok := wire.ResponseDate(r)
	if !ok {
		return false
	}
	off := at.Sub(k.at).Round(time.Second)
	if (off-k.ClockOffset).Abs() < apart || off.Abs() > maxOffset {
		return false
	}
	k.ClockOffset = off
	k.note(wire.Finding{Rule: rules.ExtDPoPClock, Detail: fmt.Sprintf("the clock of the issuer is %s from the one here; proofs are dated by it", off)})
	return true
}

const maxOffset = 10 * 365 * 24 * time.Hour

// bindable refuses an issuer that does not offer bound tokens, if only bound tokens are
// accepted (rule ext-dpop-alg-list).
func (k *step) bindable() Event {
	if !k.Binds() || k.Proves() {
		return Illegal
	}
	return k.fail(BindingUnavailable, states.PartyPeer, wire.Problem{
		Rule: rules.ExtDPoPAlgList, Refuse: true,
		Detail: "tokens have to be bound to a key, and the issuer lists no algorithm for proofs that the key signs with",
	})
}

// signGiven signs the proof that goes with an assertion of another party. After an
// interruption it asks for that assertion again, with the event again.
func (k *step) signGiven(again Event) Event {
	if in, ok := k.in.(states.Interrupted); ok {
		k.Seed, k.Draws = in.Seed, 0
		return again
	}
	if k.Flow == nil {
		return k.signUnderLease()
	}
	return k.signInLogin()
}
