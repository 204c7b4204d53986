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
		return k.orSign(LogoutReady, k.Retiring[0].Client)
	case states.NotFound:
		k.forget()
		k.rest()
		return CredentialMissing
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	}
	return Illegal
}

func revoking(k *step) Event {
	if in, ok := k.in.(states.Interrupted); ok {
		return k.revokeAgain(in)
	}
	on := k.revoked()
	if on == Disposed {
		return RevocationDone
	}
	return on
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
