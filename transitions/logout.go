package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func recalling(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		rec, on := k.read(in)
		if rec == nil {
			return on
		}
		k.Record, k.Entry, k.Tries = rec, in.Generation, 0
		all := append([]states.Token{}, rec.Superseded...)
		if rec.Current != nil {
			all = append([]states.Token{*rec.Current}, all...)
		}
		k.Retiring = revocable(all)
		if len(k.Retiring) == 0 {
			k.note(wire.Finding{Rule: rules.RevokeNoEndpoint, Detail: "the issuer offers no revocation; the credential is only removed here"})
			return NothingToRevoke
		}
		return LogoutReady
	case states.NotFound:
		k.forget()
		k.rest()
		return CredentialMissing
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	}
	return Illegal
}

// revocable keeps the tokens whose issuer offers revocation over an address
// that a secret may be sent to.
func revocable(all []states.Token) []states.Token {
	var out []states.Token
	for _, t := range all {
		if t.Server.RevocationEndpoint != "" {
			out = append(out, t)
		}
	}
	return out
}

func revoking(k *step) Event {
	on := k.revoked()
	if on == Disposed {
		return RevocationDone
	}
	return on
}

func disposing(k *step) Event {
	on := k.revoked()
	if on == Disposed {
		k.rest()
	}
	return on
}

// revoked takes the answer for the first token still to go. Nothing that the
// issuer says keeps the credential here (rule revoke-best-effort).
func (k *step) revoked() Event {
	on, _ := k.attempted()
	if on != RevokedOne {
		return on
	}
	k.nextToRevoke()
	if len(k.Retiring) == 0 {
		return Disposed
	}
	return RevokedOne
}

// attempted takes the answer to a revocation: 503 and silence are tried again
// within bounds, but silence not while a token in use waits for the end of it.
// later says that the issuer could not be asked now.
func (k *step) attempted() (on Event, later bool) {
	resting := k.state == states.Retiring
	switch in := k.in.(type) {
	case states.Responded:
		class := statusClass(in.Response)
		if class == wire.ClassServer && !(resting && k.Cancelled) && k.again(retriesPost, &in.Response) {
			return RevocationTrouble, true
		}
		if bad := wire.JudgeRevocation(in.Response); bad != nil {
			k.note(wire.Finding{Rule: bad.Rule, Detail: bad.Error()})
		}
		later = class == wire.ClassServer || class == wire.ClassThrottled
	case states.Unreachable:
		p, refused := unanswered(in)
		if !refused && !resting && k.again(retriesPost, nil) {
			return RevocationTrouble, true
		}
		k.note(wire.Finding{Rule: rules.RevokeBestEffort, Detail: "a token could not be revoked: " + p.Detail})
		later = true
	default:
		return Illegal, false
	}
	k.Tries = 0
	return RevokedOne, later
}

// nextToRevoke goes on to the next token: the access token after the refresh
// token of the same grant.
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

func erasing(k *step) Event {
	switch in := k.in.(type) {
	case states.Deleted, states.NotFound:
		k.forget()
		k.rest()
		return LogoutDone
	case states.Conflicted:
		if k.Rounds++; k.Rounds <= maxConflicts {
			return CredentialChanged
		}
		return k.storeLost(states.StoreFailed{Detail: "the credential keeps changing"}, StoreLost, Illegal)
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	}
	return Illegal
}
