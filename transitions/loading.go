package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states"
)

func loading(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		rec, on := k.read(in)
		if rec == nil {
			return on
		}
		k.Record, k.Entry, k.Accepted, k.RenewAfter = rec, in.Generation, false, time.Time{}
		t := rec.Current
		if t == nil {
			return k.unheld(CredentialSpent)
		}
		k.FreshUntil = t.Expires
		k.inherit(t)
		if !k.Config.Fits(t) {
			k.Rejected = t.Generation
			return k.unheld(KeyMissing)
		}
		if k.LoginAsked {
			k.LoginAsked = false
			k.begin(states.WhyRequested, k.Challenge)
			return LoginNeeded
		}
		if !k.expired() {
			k.Fault = nil
			k.restAuthorized()
			return CredentialFound
		}
		if t.Renewable() && !rec.GivenUp() {
			k.refresh()
			return CredentialExpiring
		}
		return k.unheld(CredentialSpent)
	case states.NotFound:
		k.forget()
		return k.unheld(CredentialMissing)
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	case states.Cancelled:
		return k.cancelled(Cancelled)
	}
	return Illegal
}

// unheld continues without a token: with a login if one is asked for or a challenge waits,
// otherwise at rest.
func (k *step) unheld(on Event) Event {
	if k.LoginAsked {
		k.LoginAsked = false
		k.begin(states.WhyRequested, k.Challenge)
		return LoginNeeded
	}
	if k.Challenge != nil {
		k.begin(states.WhyChallenged, k.Challenge)
		return LoginNeeded
	}
	k.rest()
	return on
}
