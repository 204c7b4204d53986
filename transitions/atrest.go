package transitions

import "github.com/stile-oauth/stile/states/wire"

// What is set and what is dropped when the machine comes to rest.

// restAuthorized prepares to rest in Authorized. It sets when to wake, and keeps a challenge
// that came in the meantime if it says something about the token that is held now.
func (k *step) restAuthorized() {
	k.Flow, k.Obtained, k.Spent, k.Assertion = nil, nil, "", nil
	k.Tries, k.Rounds, k.MetadataAddress, k.Losses = 0, 0, 0, 0
	k.WakeAt = k.Renewal()
	t := k.Token()
	if k.Challenge != nil && !concerns(*k.Challenge, t) {
		k.Challenge = nil
	}
	if k.Challenge != nil {
		k.WakeAt = k.at
	}
	k.Wanted = wire.Missing(t.Granted, k.Wanted)
}

// restWith prepares to rest in Authorized and returns the event.
func (k *step) restWith(on Event) Event {
	k.restAuthorized()
	return on
}

// rest prepares to rest without a token.
func (k *step) rest() {
	k.Flow, k.Obtained, k.Spent, k.Challenge, k.Assertion = nil, nil, "", nil, nil
	k.Tries, k.Rounds, k.MetadataAddress, k.Retiring, k.Losses = 0, 0, 0, nil, 0
}
