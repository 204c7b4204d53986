package transitions

import "github.com/stile-oauth/stile/states"

// A refresh that brought no token ends here. What the answer says about the refresh token
// decides which state stores it, and the function that judges the answer has put into the
// record what is to be stored:
//
//   - Not spent, or nothing was spent: keepIt, to Unmarking. The intent is taken back. With
//     transient, the same is tried again later; with refusedForGood, a login is due when the
//     held token expires.
//   - Perhaps spent, because the answer was lost: answerLost, at first to Reloading and then to
//     Unmarking. The intent stays, and says when the token is sent again (doubt.go).
//   - Spent without a usable answer, or refused in a way that would repeat itself: giveUp, to
//     Relinquishing. The intent stays, and says that no process sends the token again.
//   - Refused with invalid_grant: fail with GrantInvalid, to Doubting. If no other process has
//     stored a newer token, Disowning removes the refresh token.

func unmarking(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		k.Entry = in.Generation
	case states.Conflicted:
		// Another process wrote in the meantime, perhaps by its own refresh.
		if k.Rounds++; k.Rounds <= 2 {
			return IntentConflict
		}
	case states.StoreFailed:
		// The intent stays; the next refresh treats this as one more unknown outcome.
	default:
		return Illegal
	}
	if k.Usable(k.at) {
		if k.RenewAfter.Before(k.at.Add(pauseRenewal)) {
			k.pause(pauseRenewal)
		}
		k.restAuthorized()
		return UnmarkedWhileHolding
	}
	k.Challenge = nil
	return Unmarked
}

// relinquishing: if it could not be stored, other processes wait until the intent expires,
// and find out again.
func relinquishing(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		k.Entry = in.Generation
	case states.Conflicted:
		if k.Rounds++; k.Rounds <= maxConflicts {
			return IntentConflict
		}
	case states.StoreFailed:
	default:
		return Illegal
	}
	if k.Fault.Event == ClientRefused && !k.Usable(k.at) {
		k.Challenge = nil // a login would ask in the name of the same client
		return ClientRefused
	}
	return k.givenUp()
}

func doubting(k *step) Event {
	rec, at, on := k.reloaded()
	if rec == nil {
		return on
	}
	r := *rec
	r.Intent = nil
	if rec.Current != nil {
		t := *rec.Current
		t.RefreshToken = ""
		r.Current = &t
	}
	k.Record, k.Entry, k.Spent = &r, at, ""
	return GrantDead
}

func disowning(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		k.Entry = in.Generation
	case states.Conflicted:
		if k.Rounds++; k.Rounds <= maxConflicts {
			return DisownConflict
		}
	case states.StoreFailed:
	default:
		return Illegal
	}
	return k.toLogin(Disowned, DisownedQuietly, DisownedWhileHolding)
}
