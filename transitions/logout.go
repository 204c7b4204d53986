package transitions

import (
	"github.com/stile-oauth/stile/states"
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
			k.note(wire.Finding{Rule: wire.RuleRevokeNoEndpoint, Detail: "the issuer offers no revocation; the credential is only removed here"})
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
// issuer says keeps the credential here (rule revoke-best-effort); 503 and
// silence are tried again within bounds.
func (k *step) revoked() Event {
	switch in := k.in.(type) {
	case states.Responded:
		if statusClass(in.Response) == wire.ClassServer && k.again(retriesPost, &in.Response) {
			return RevocationTrouble
		}
		if bad := wire.JudgeRevocation(in.Response); bad != nil {
			k.note(wire.Finding{Rule: bad.Rule, Detail: bad.Error()})
		}
	case states.Unreachable:
		p, refused := unanswered(in)
		if !refused && k.again(retriesPost, nil) {
			return RevocationTrouble
		}
		k.note(wire.Finding{Rule: wire.RuleRevokeBestEffort, Detail: "a token could not be revoked: " + p.Detail})
	default:
		return Illegal
	}
	k.Tries = 0
	rest := append([]states.Token{}, k.Retiring...)
	if rest[0].RefreshToken != "" {
		rest[0].RefreshToken = "" // the access token is next
	} else {
		rest = rest[1:]
	}
	k.Retiring = rest
	if len(rest) == 0 {
		k.Retiring = nil
		return Disposed
	}
	return RevokedOne
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
