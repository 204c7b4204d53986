package transitions

import (
	"slices"

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
			why := wire.Finding{Rule: rules.RevokeNoEndpoint, Detail: "the issuer offers no revocation; the credential is only removed here"}
			if slices.ContainsFunc(all, func(t states.Token) bool { return t.ClientDead }) {
				why = wire.Finding{Rule: rules.RevokeBestEffort, Detail: "the issuer no longer knows the client, so that nothing can be revoked; the credential is only removed here"}
			}
			k.note(why)
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
		k.Managed = k.toForget()
		k.forget()
		if k.Managed != nil {
			return ClientToForget
		}
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

// toForget is the client of the credential that was just removed, if the issuer should
// forget it. That is only a client that the issuer itself gave: a configured client belongs
// to the person who registered it.
func (k *step) toForget() *states.Managed {
	t := k.Token()
	switch {
	case !k.Forget:
	case t == nil || !dynamic(t.Client):
		k.note(wire.Finding{Rule: rules.DCRDelete, Detail: "the client was not registered by this program; it is not forgotten"})
	default:
		return &states.Managed{Issuer: t.Server.Issuer, Client: t.Client, Redirects: k.Config.RedirectsOf(t)}
	}
	return nil
}

// lookingUpClient: the stored registration may hold a newer token for its management (rule
// dcr-management-rotates). The registration of another client belongs to another login, and
// stays.
func lookingUpClient(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		reg, on := k.readRegistration(in)
		if reg == nil {
			return on
		}
		if reg.Client.ID == k.Managed.Client.ID {
			m := *k.Managed
			if m.Entry = in.Generation; reg.Client.RegistrationURI != "" {
				m.Client = reg.Client
			}
			k.Managed = &m
		}
	case states.NotFound:
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	default:
		return Illegal
	}
	if c := k.Managed.Client; c.RegistrationURI != "" && c.RegistrationToken != "" {
		return ClientManaged
	}
	k.note(wire.Finding{Rule: rules.DCRDelete, Detail: "the issuer gave no way to have the client forgotten (RFC 7592); it is only removed here"})
	if k.Managed.Entry != 0 {
		return ClientUnmanaged
	}
	k.rest()
	return LogoutDone
}

func forgettingClient(k *step) Event {
	var bad *wire.Problem
	switch in := k.in.(type) {
	case states.Responded:
		switch statusClass(in.Response) {
		case wire.ClassServer, wire.ClassThrottled:
			if k.again(retriesPost, &in.Response) {
				return ForgetTrouble
			}
		}
		bad = wire.JudgeDeletion(in.Response)
	case states.Unreachable:
		p, refused := unanswered(in)
		if !refused && k.again(retriesPost, nil) {
			return ForgetTrouble
		}
		bad = &p
	default:
		return Illegal
	}
	if bad == nil {
		return ClientForgotten
	}
	k.fail(ClientKept, partyInTrouble(*bad), *bad)
	k.Fault.Peer = wire.Clean(k.Managed.Issuer, 200)
	k.transient(ClientKept)
	k.Fault.Advice = "the log out is done; ask the operator of the issuer to remove the client, or log in and try again"
	k.rest()
	return ClientKept
}

func unfiling(k *step) Event {
	switch in := k.in.(type) {
	case states.Deleted, states.NotFound, states.Conflicted:
		k.rest()
		return LogoutDone
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	}
	return Illegal
}
