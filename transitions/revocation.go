package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// revocable keeps the tokens that can be revoked: their issuer supports revocation and still
// knows the client in whose name the request is made. A workload has no client.
func revocable(all []states.Token) []states.Token {
	var out []states.Token
	for _, t := range all {
		if t.Server.RevocationEndpoint != "" && !t.ClientDead && t.Client.ID != "" {
			out = append(out, t)
		}
	}
	return out
}

// revoked takes the answer for the first of the remaining tokens. No answer of the issuer
// prevents the removal of the credential here (rule revoke-best-effort).
func (k *step) revoked() Event {
	on, _ := k.attempted()
	if on != RevokedOne {
		return on
	}
	k.nextToRevoke()
	if len(k.Retiring) == 0 {
		return Disposed
	}
	return k.orSign(RevokedOne, k.Retiring[0].Client)
}

// revokeAgain: it is not known whether the revocation was sent before the interruption.
// Sending it twice does no harm.
func (k *step) revokeAgain(in states.Interrupted) Event {
	k.Seed, k.Draws = in.Seed, 0
	return k.orSign(AskedAgain, k.Retiring[0].Client)
}

// attempted takes the answer to a revocation. After a 503 or no answer, it is tried again
// within bounds; after no answer, not while a token in use waits for the end of the
// revocation. later says that the issuer could not be asked now.
func (k *step) attempted() (on Event, later bool) {
	resting := k.state == states.Retiring
	switch in := k.in.(type) {
	case states.Responded:
		class := statusClass(in.Response)
		if class == wire.ClassServer && !(resting && k.Cancelled) && k.again(retriesPost, &in.Response) {
			return k.orSign(RevocationTrouble, k.Retiring[0].Client), true
		}
		if bad := wire.JudgeRevocation(in.Response); bad != nil {
			k.note(wire.Finding{Rule: bad.Rule, Detail: "a token could not be revoked: " + bad.Words()})
			if bad.OAuth != nil && bad.OAuth.Code == wire.CodeInvalidClient {
				k.revokerDied()
			}
		}
		later = class == wire.ClassServer || class == wire.ClassThrottled
	case states.Unreachable:
		p, refused := unanswered(in)
		if !refused && !resting && k.again(retriesPost, nil) {
			return k.orSign(RevocationTrouble, k.Retiring[0].Client), true
		}
		k.note(wire.Finding{Rule: rules.RevokeBestEffort, Detail: "a token could not be revoked: " + p.Detail})
		later = true
	default:
		return Illegal, false
	}
	k.Tries = 0
	return RevokedOne, later
}

// clientDied: tokens of a client that the issuer no longer knows are not revoked in that
// client's name, and the record says so for every process.
func (k *step) clientDied(issuer, id string) {
	if k.Record == nil {
		return
	}
	r := *k.Record
	die := func(t states.Token) states.Token {
		t.ClientDead = t.ClientDead || t.Server.Issuer == issuer && t.Client.ID == id
		return t
	}
	if r.Current != nil {
		t := die(*r.Current)
		r.Current = &t
	}
	r.Superseded = slices.Clone(r.Superseded)
	for i, t := range r.Superseded {
		r.Superseded[i] = die(t)
	}
	k.Record = &r
}

// revokerDied: an issuer that does not know the client revokes nothing more in the client's
// name, so no further token of that client is sent.
func (k *step) revokerDied() {
	first := k.Retiring[0]
	first.RefreshToken = ""
	left := slices.DeleteFunc(slices.Clone(k.Retiring[1:]), func(t states.Token) bool { return t.SameClient(&first) })
	k.Retiring = append([]states.Token{first}, left...)
}

// nextToRevoke turns to the next token: the access token after the refresh token of the
// same grant.
func (k *step) nextToRevoke() {
	rest := append([]states.Token{}, k.Retiring...)
	if rest[0].RefreshToken != "" {
		rest[0].RefreshToken = "" // the access token is next
	} else {
		rest = rest[1:]
	}
	if k.Retiring = rest; len(rest) == 0 {
		k.Retiring = nil
	}
}
