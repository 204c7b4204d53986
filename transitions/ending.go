package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// A login at another issuer has replaced the grant of the former issuer, which was kept
// until then (docs/decision-tables.md#t9-new-issuer-stored; rule
// issuer-change-keeps-old). The old grant is revoked if its issuer supports that, and
// removed from the record. The new token is handed out before that, and no failure of the
// revocation can fail the login. Grants of the client in use stay until the user logs out,
// because an issuer may end the new grant with them.

// distrusting: what another process stored in the meantime stays.
func distrusting(k *step) Event {
	switch k.in.(type) {
	case states.Deleted, states.NotFound, states.Conflicted:
		return RegistrationDropped
	case states.StoreFailed:
		f := *k.Fault
		f.Advice = "log in again; the client that was registered earlier may be forgotten at the issuer, and the store failed when it was to be removed"
		if k.Flow.Client.Source == wire.SourceHost {
			f.Advice = "log in again; the client id that was given may be wrong, and the store failed when it was to be removed"
		}
		k.Fault = &f
		return RegistrationKept
	}
	return Illegal
}

func closing(k *step) Event {
	switch k.in.(type) {
	case states.Deleted, states.NotFound, states.Conflicted, states.StoreFailed:
		return LoginClosed
	}
	return Illegal
}

// withdrawing ends every login. The result of the login in the facts decides in which
// state the machine rests.
func withdrawing(k *step) Event {
	switch k.in.(type) {
	case states.Deleted, states.NotFound, states.Conflicted, states.StoreFailed:
	default:
		return Illegal
	}
	switch {
	case k.Adopted != nil:
		rec := k.Adopted
		k.Adopted = nil
		k.adopt(rec, k.Entry)
		return LoginDone
	case k.Fault == nil:
		k.restAuthorized()
		return k.replaced()
	case k.Usable(k.at):
		k.restAuthorized()
		return DeniedWhileHolding
	}
	k.rest()
	return LoginFailed
}

// replaced handles the grants that a login has replaced, after the login was stored.
func (k *step) replaced() Event {
	var old []states.Token
	for _, t := range k.Record.Superseded {
		if !t.SameClient(k.Token()) {
			old = append(old, t)
		}
	}
	if len(old) == 0 {
		return LoginDone
	}
	k.Retiring = revocable(old)
	for _, t := range old {
		if t.Server.RevocationEndpoint == "" {
			k.note(wire.Finding{Rule: rules.RevokeNoEndpoint, Detail: wire.Clean(t.Server.Issuer, 200) + " offers no revocation; its grant is only removed here"})
		}
	}
	if len(k.Retiring) > 0 {
		return k.orSign(GrantsLeft, k.Retiring[0].Client)
	}
	k.prune()
	return GrantsUnrevocable
}

// prune removes from the record the replaced grants that need not be revoked. It reports
// whether there were any.
func (k *step) prune() bool {
	r := *k.Record
	r.Superseded = nil
	for _, t := range k.Record.Superseded {
		left := func(l states.Token) bool { return l.AccessToken == t.AccessToken }
		if t.SameClient(k.Token()) || slices.ContainsFunc(k.Retiring, left) {
			r.Superseded = append(r.Superseded, t)
		}
	}
	changed := len(r.Superseded) < len(k.Record.Superseded)
	k.Record, k.Retiring = &r, nil
	return changed
}

func retiring(k *step) Event {
	switch in := k.in.(type) {
	case states.Challenged:
		return k.challengedWhileRetiring(in)
	case states.Interrupted:
		return k.revokeAgain(in)
	}
	on, later := k.attempted()
	if on != RevokedOne {
		return on
	}
	if !later {
		if k.nextToRevoke(); len(k.Retiring) > 0 {
			return k.orSign(RevokedOne, k.Retiring[0].Client)
		}
	} else {
		k.note(wire.Finding{Rule: rules.IssuerChangeKeepsOld, Detail: "the grant of " + wire.Clean(k.Retiring[0].Server.Issuer, 200) +
			" is kept, to be revoked after the next login or at the log out"})
	}
	if k.prune() {
		return RevocationDone
	}
	k.restAuthorized()
	return RevocationPutOff
}

// challengedWhileRetiring: the token in use is more important than revoking what it
// replaced.
func (k *step) challengedWhileRetiring(in states.Challenged) Event {
	k.keep(k.judge(in))
	if k.Challenge == nil || !concerns(*k.Challenge, k.Token()) {
		return ChallengeNoted
	}
	k.Retiring = nil
	k.restAuthorized()
	return RevocationPutOff
}

func pruning(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		k.Entry = in.Generation
		k.restAuthorized()
		return GrantsRetired
	case states.Conflicted, states.StoreFailed:
		// The next login, or the log out, finds them again.
		k.note(wire.Finding{Rule: rules.IssuerChangeKeepsOld, Detail: "grants that were revoked could not be removed from the record"})
		k.restAuthorized()
		return GrantsKept
	}
	return Illegal
}

// accepting: if this could not be stored, another process whose request is refused assumes
// that nobody has used the token yet.
func accepting(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		k.Entry = in.Generation
		k.restAuthorized()
		return AcceptanceSaved
	case states.Conflicted, states.StoreFailed:
		k.restAuthorized()
		return AcceptanceLost
	}
	return Illegal
}
