package transitions

import "github.com/stile-oauth/stile/states"

func rotating(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		k.stored(in.Generation)
		k.restAuthorized()
		return Rotated
	case states.Conflicted:
		return RotationConflict
	case states.StoreFailed:
		return k.saveFailed(in)
	}
	return Illegal
}

// reconciling: the entry changed between the intent and the result. What is
// stored decides (docs/architecture.md#refresh).
func reconciling(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		rec, on := k.read(in)
		if rec == nil {
			return on
		}
		c := rec.Current
		switch {
		case k.holdsObtained(rec):
			k.Record, k.Entry = rec, in.Generation
			k.restAuthorized()
			return AlreadySaved
		case c != nil && (k.Spent != "" && c.RefreshToken == k.Spent || c.RefreshToken == "" && c.Generation == k.Token().Generation):
			// It is still the grant that was refreshed. It has no refresh token if another process
			// found the token dead, because it had been spent here.
			k.Record, k.Entry = rec, in.Generation
			return k.putOver()
		case c == nil:
			return k.dispose()
		}
		k.adopt(rec, in.Generation)
		return Adopted
	case states.NotFound:
		return k.dispose()
	case states.StoreFailed:
		return k.saveFailed(in)
	}
	return Illegal
}

// dispose: the credential was removed in the meantime. The new tokens are revoked, if
// possible, and nothing is restored.
func (k *step) dispose() Event {
	k.Retiring = revocable([]states.Token{*k.Obtained})
	k.forget()
	k.Obtained, k.Tries = nil, 0
	if len(k.Retiring) == 0 {
		k.rest()
		return GoneUnrevocable
	}
	return k.orSign(ObtainedUnwanted, k.Retiring[0].Client)
}

func disposing(k *step) Event {
	if in, ok := k.in.(states.Interrupted); ok {
		return k.revokeAgain(in)
	}
	on := k.revoked()
	if on == Disposed {
		k.rest()
	}
	return on
}
