package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

func saving(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		k.stored(in.Generation)
		return CredentialSaved
	case states.Conflicted:
		return CredentialChanged
	case states.StoreFailed:
		return k.saveFailed(in)
	}
	return Illegal
}

// stored makes what was obtained the current credential.
func (k *step) stored(g states.Generation) {
	k.Record, k.Entry = k.Next(), g
	k.Obtained, k.Spent, k.Tries, k.Rounds, k.RenewAfter = nil, "", 0, 0, time.Time{}
	k.Fault = nil
}

// saveFailed: the store is away with a result in hand. The token is handed out
// and storing it is tried until the store is back: the next pause is bounded,
// the number of tries is not, since the refresh token exists nowhere else.
func (k *step) saveFailed(in states.StoreFailed) Event {
	k.note(wire.Finding{Rule: wire.RuleStoreLeaseTristate, Detail: "the store failed with a new credential in hand; storing it is tried again: " + wire.Clean(in.Detail, 200)})
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
		if rec.Current != nil && rec.Current.AccessToken == k.Obtained.AccessToken && rec.Current.RefreshToken == k.Obtained.RefreshToken {
			k.Record, k.Entry = rec, in.Generation
			k.Obtained, k.Spent = nil, ""
			return AlreadySaved
		}
		k.Record, k.Entry = rec, in.Generation
		k.above(rec)
		return PutOver
	case states.NotFound:
		k.Record, k.Entry = nil, 0
		return PutOver
	case states.StoreFailed:
		return k.saveFailed(in)
	}
	return Illegal
}

// above keeps the generation of what was obtained different from, and after,
// the one it replaces.
func (k *step) above(rec *states.Credential) {
	if rec.Current != nil && rec.Current.Generation >= k.Obtained.Generation {
		o := *k.Obtained
		o.Generation = rec.Current.Generation + 1
		k.Obtained = &o
	}
}

func resaving(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		login := k.Flow != nil
		k.stored(in.Generation)
		if login {
			return CredentialSaved
		}
		k.arrive()
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
