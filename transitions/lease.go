package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func leasing(k *step) Event {
	switch in := k.in.(type) {
	case states.Leased:
		k.Lease = states.Leasehold{Fence: in.Fence, Until: k.at.Add(in.TTL)}
		return Leased
	case states.Held:
		k.waitABit()
		return LeaseHeld
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, StoreLostWhileHolding)
	}
	return Illegal
}

// waitABit sets when the store is read next: soon at first, later after a second.
func (k *step) waitABit() {
	wait := k.jittered(min(50*time.Millisecond<<min(k.Rounds, 5), time.Second))
	k.Rounds++
	k.WakeAt = k.at.Add(wait)
}

func waiting(k *step) Event {
	if _, ok := k.in.(states.Ticked); ok && !k.at.Before(k.WakeAt) {
		return LookAgain
	}
	return Illegal
}

func looking(k *step) Event {
	rec, _, on := k.reloaded()
	switch {
	case rec == nil:
		return on
	case !k.at.Before(k.WaitUntil):
		return k.waitedTooLong()
	}
	return StillHeld
}

func (k *step) waitedTooLong() Event {
	k.inTrouble(WaitedTooLong, states.PartyHost, wire.Problem{
		Rule: rules.NetBackoffBounded, Detail: "another process holds the refresh and does not finish",
	})
	return k.ifHolding(WaitedTooLong, WaitedWhileHolding)
}

func reloading(k *step) Event {
	rec, at, on := k.reloaded()
	if rec == nil {
		return on
	}
	k.Record, k.Entry = rec, at
	return k.decide(rec)
}

// decide says, under the lease and with the record just read, whether the
// refresh token may be spent.
func (k *step) decide(rec *states.Credential) Event {
	t := rec.Current
	switch {
	case t == nil || !t.Renewable() || k.NoRenew || rec.GivenUp() || !k.Config.Fits(t),
		t.Generation == k.Rejected && k.climbed().Refreshed:
		return k.toLogin(NothingToSpend, NothingToSpendQuietly, NothingToSpendWhileHolding)
	case rec.Intent != nil && k.alive(rec.Intent):
		k.waitABit()
		if k.at.After(k.WaitUntil) {
			return k.waitedTooLong()
		}
		return IntentLive
	case !k.at.Before(k.Lease.Until):
		// This process stood still beyond its lease, and another may have it. To mark now would
		// only waste a try.
		return LeaseRanOut
	case t.Unattended():
		return k.decideOwn(rec)
	case rec.Intent != nil && k.doubtRests(rec.Intent):
		k.inTrouble(RefreshPutOff, states.PartyNetwork, wire.Problem{
			Rule: rules.RefreshAmbiguousOnce, Detail: "the answer to a refresh was lost a moment ago; the refresh token is tried again after a pause",
		})
		if k.Usable(k.at) {
			k.pause(rec.Intent.Until.Sub(k.at))
			k.restAuthorized()
			return RefreshPutOffWhileHolding
		}
		k.Challenge = nil
		return RefreshPutOff
	case rec.Intent != nil && doubtOver(rec.Intent):
		return k.giveUp(RefreshGivenUp, states.PartyNetwork, doubted())
	}
	r := *rec
	r.Intent = &states.Intent{Attempt: 1, Holder: k.Config.Holder, Until: k.Lease.Until, Since: k.at, Sent: k.at}
	if rec.Intent != nil {
		r.Intent.Attempt = rec.Intent.Attempt + 1
		if !rec.Intent.Since.IsZero() {
			r.Intent.Since = rec.Intent.Since
		}
		k.note(wire.Finding{Rule: rules.RefreshAmbiguousOnce, Detail: "an earlier refresh has no known outcome; the token is tried once more"})
	}
	k.Record, k.Tries = &r, 0
	return RefreshDue
}

// alive reports whether another holder may still be at work on the intent. The lease keeps
// two holders apart. The time in the intent is used only if it is plausible by this
// process's clock.
func (k *step) alive(i *states.Intent) bool {
	left := i.Until.Sub(k.at)
	return !i.Lost && i.Holder != k.Config.Holder && left > 0 && left <= k.Config.LeaseFor()
}

func marking(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		k.Entry = in.Generation
		k.Spent = k.Token().RefreshToken
		k.Tries, k.MetadataAddress = 0, 0
		if k.Record.Intent.Attempt > 1 {
			k.NotBefore = k.at.Add(k.jittered(min(pauseLost, k.Config.LeaseFor()/4)))
		}
		switch k.Token().Grant {
		case states.WorkloadGrant:
			return IntentMarkedToAssert
		case states.EnterpriseGrant:
			return IntentMarkedToIdentify
		case states.OwnGrant:
			return k.orProve(IntentMarkedToRenew, k.Token().Client)
		default: // by a user's login
		}
		return k.orProve(IntentMarked, k.Token().Client)
	case states.Conflicted:
		k.Rounds++
		if k.Rounds > maxConflicts {
			return k.waitedTooLong()
		}
		return IntentConflict
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, StoreLostWhileHolding)
	}
	return Illegal
}

// maxConflicts bounds how often one write starts over.
const maxConflicts = 8
