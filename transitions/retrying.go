package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// again prepares one more try of the same question after a pause. The pause grows
// exponentially, has jitter, and does not end before the peer's Retry-After (rules
// net-backoff-bounded, net-retry-after). again reports false if the bound is reached, or if
// the peer asks for a longer pause than a login allows.
func (k *step) again(most int, r *wire.Response) bool {
	if k.Tries >= most {
		return false
	}
	wait := k.jittered(min(250*time.Millisecond<<k.Tries, maxBackoff))
	if r != nil {
		if after, ok := wire.RetryAfter(*r, k.at); ok {
			if after > maxPatience {
				return false
			}
			wait = max(wait, after)
		}
	}
	k.Tries++
	k.NotBefore = k.at.Add(wait)
	return true
}

// jittered is a pause with a random part, so that processes that failed at the same time do
// not try again at the same time.
func (k *step) jittered(wait time.Duration) time.Duration {
	return wait + wait*time.Duration(k.Jitter())/4000
}

// pause postpones the next renewal after one has failed; the held token stays in use. The
// renewal is never postponed beyond the life of the token.
func (k *step) pause(wait time.Duration) {
	k.RenewAfter = k.at.Add(wait)
	if !k.FreshUntil.IsZero() && k.RenewAfter.After(k.FreshUntil) {
		k.RenewAfter = k.FreshUntil
	}
}

// The limits of retrying that this project chose.
const (
	pauseRenewal = 5 * time.Second
	maxBackoff   = 5 * time.Second
	maxPatience  = 30 * time.Second
	retriesGet   = 3
	retriesPost  = 2
)

// nextCandidate turns to the next address that may have the metadata, if there is one.
func (k *step) nextCandidate() bool {
	f := k.flow()
	k.Tries = 0
	if f.Candidate+1 >= len(f.Candidates) {
		return false
	}
	f.Candidate++
	return true
}
