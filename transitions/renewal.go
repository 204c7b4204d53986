package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// How the renewal of a token ends without one, whichever way it is renewed.

// keepIt ends the refresh without having spent the token. Of the credential, only the intent
// changes: it is removed.
func (k *step) keepIt(on Event, party states.Party, p wire.Problem) Event {
	k.fail(on, party, p)
	r := *k.Record
	r.Intent = nil
	if was := k.Record.Intent; was != nil && was.Attempt > 1 {
		i := *was
		i.Attempt--
		i.Until = k.at // nobody is at work on it now
		r.Intent = &i
	}
	k.Record, k.Spent = &r, ""
	return on
}

// putOff honours a Retry-After that is longer than a refresh can wait (rule
// net-retry-after).
func (k *step) putOff(r wire.Response) {
	if after, ok := wire.RetryAfter(r, k.at); ok {
		k.pause(after)
	}
}

// refusedForGood: the same request would be refused again. The next login asks again, with
// the client as it is configured then.
func (k *step) refusedForGood(on Event, party states.Party, bad *wire.Problem) Event {
	k.NoRenew = true
	return k.final(k.keepIt(on, party, *bad))
}

// toLogin: the credential cannot be renewed. A usable token stays in use. If a caller waits,
// a login begins; otherwise the next request asks for one.
func (k *step) toLogin(on, quietly, holding Event) Event {
	if k.Usable(k.at) {
		k.NoRenew = true
		k.restAuthorized()
		return holding
	}
	if k.Challenge != nil && !k.Cancelled { // no login begins when nobody waits for it
		k.begin(states.WhyRejected, k.Challenge)
		return on
	}
	k.rest()
	return quietly
}
