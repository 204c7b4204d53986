package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func saving(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		k.stored(in.Generation)
		if k.methodLearned() {
			return MethodLearned
		}
		return k.deviceDone(CredentialSaved)
	case states.Conflicted:
		return CredentialChanged
	case states.StoreFailed:
		return k.saveFailed(in)
	}
	return Illegal
}

// methodLearned reports whether the issuer accepted another authentication method than
// the stored registration of this login names.
func (k *step) methodLearned() bool {
	f := k.Flow
	registered := dynamic(f.Client) || f.Client.Source == wire.SourceHost
	return registered && f.Registration != 0 && f.Filed != "" && f.Client.Method != f.Filed
}

// stored makes what was obtained the current credential.
func (k *step) stored(g states.Generation) {
	k.Record, k.Entry = k.Next(), g
	k.Obtained, k.Spent, k.Tries, k.Rounds, k.RenewAfter = nil, "", 0, 0, time.Time{}
	k.Fault = nil
}

// saveFailed: the store does not answer while there is a result to save. The token is handed
// out, and the machine tries to store it until the store answers. The pause is bounded, but
// the number of tries is not, because the refresh token exists nowhere else.
func (k *step) saveFailed(in states.StoreFailed) Event {
	k.note(wire.Finding{Rule: rules.StoreLeaseTristate, Detail: "the store failed with a new credential in hand; storing it is tried again: " + wire.Clean(in.Detail, 200)})
	tries := k.Tries
	k.Tries = min(k.Tries, 4)
	k.again(5, nil)
	k.Tries = min(tries+1, 1000)
	return SaveFailed
}

func merging(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		rec, on := k.read(in)
		if rec == nil {
			return on
		}
		if k.holdsObtained(rec) {
			k.Record, k.Entry = rec, in.Generation
			k.Obtained, k.Spent = nil, ""
			return k.deviceDone(AlreadySaved)
		}
		k.carryOver(rec.Current)
		k.Record, k.Entry = rec, in.Generation
		return k.putOver()
	case states.NotFound:
		k.carryOver(nil)
		k.Record, k.Entry = nil, 0
		return PutOver
	case states.StoreFailed:
		return k.saveFailed(in)
	}
	return Illegal
}

// holdsObtained reports whether a record that was read is the result of this
// machine's own write, whose answer was lost.
func (k *step) holdsObtained(rec *states.Credential) bool {
	t := rec.Current
	return t != nil && t.AccessToken == k.Obtained.AccessToken && t.RefreshToken == k.Obtained.RefreshToken
}

// putOver writes once more over what was just read. After too many conflicts it pauses, as
// for a store that does not answer.
func (k *step) putOver() Event {
	if k.Rounds++; k.Rounds > maxConflicts {
		return k.saveFailed(states.StoreFailed{Detail: "the credential keeps changing"})
	}
	return PutOver
}

// carryOver gives a step-up that brought no refresh token of its own the refresh token that
// is stored now, or none if that grant is not stored any more. The one with which the step-up
// began may have been spent in the meantime, or revoked by a log out (rule
// refresh-stale-restore).
func (k *step) carryOver(now *states.Token) {
	o, old := k.Obtained, k.Token()
	if k.Flow.Why != states.WhyStepUp || o.RefreshToken != "" && (old == nil || o.RefreshToken != old.RefreshToken) {
		return // its own
	}
	c := *o
	if c.RefreshToken = ""; k.carries(now, o) {
		c.RefreshToken = now.RefreshToken
	}
	k.Obtained = &c
}

// carries reports whether a step-up keeps the refresh token of the grant that it replaces
// (docs/decision-tables.md#t9-step-up: the old one is kept if none came).
func (k *step) carries(old, now *states.Token) bool {
	return k.Flow != nil && k.Flow.Why == states.WhyStepUp && old != nil &&
		old.Server.Issuer == now.Server.Issuer && old.Client.ID == now.Client.ID
}

func resaving(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		login := k.Flow != nil
		k.stored(in.Generation)
		if login {
			return k.deviceDone(CredentialSaved)
		}
		k.restAuthorized()
		return Rotated
	case states.Conflicted:
		if k.Flow != nil {
			return CredentialChanged
		}
		return RotationConflict
	case states.StoreFailed:
		return k.saveFailed(in)
	}
	return Illegal
}
