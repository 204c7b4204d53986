package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// The doubt about a refresh token whose answer was lost, and its end
// (docs/decision-tables.md#t8-doubt). The token may have been spent; a server that has
// spent it says invalid_grant when it is sent again, or gives the new token once more
// within a certain time. So the token is sent again, after growing pauses, until an
// answer comes or the doubt has lasted too long.

// The limits of doubt that this project chose.
const (
	// pauseLost is the minimum time between two sends if the outcome of the first is not
	// known.
	pauseLost = time.Second // or a quarter of the lease, where that is short
	// lossesInRun is how many answers may be lost in one refresh; then the run
	// ends, and the next use tries again.
	lossesInRun = 2
	// restLost is the pause after such a run; it doubles with each attempt, up to
	// maxRestLost.
	restLost    = 5 * time.Second
	maxRestLost = 5 * time.Minute
	// doubtSpan is how long doubt lasts. If the answer for a token is lost again after that,
	// the token is given up. It is much longer than the windows in which servers accept a
	// spent token once more, which are seconds to minutes, and longer than most outages.
	doubtSpan = time.Hour
)

// answerLost: the token may have been spent. It is tried once more in this
// refresh, then by the next refresh, of any process (rule refresh-ambiguous-once).
func (k *step) answerLost(p wire.Problem) Event {
	k.note(wire.Finding{Rule: rules.RefreshAmbiguousOnce, Detail: "the answer to a refresh was lost: " + p.Detail})
	i := *k.Record.Intent
	if doubtOver(&i) {
		return k.giveUp(RefreshGivenUp, states.PartyNetwork, doubted())
	}
	if k.Losses++; k.Losses < lossesInRun {
		return AnswerLost
	}
	i.Lost, i.Until = true, k.at.Add(k.jittered(min(restLost<<min(max(i.Attempt-lossesInRun, 0), 10), maxRestLost)))
	r := *k.Record
	r.Intent, k.Record, k.Spent = &i, &r, ""
	k.pause(i.Until.Sub(k.at))
	return k.inTrouble(AnswerLostAgain, partyInTrouble(p), p)
}

// doubtOver reports whether answers have been lost for so long that another try is
// pointless.
func doubtOver(i *states.Intent) bool {
	return i.Attempt > 1 && !i.Since.IsZero() && !i.Sent.Before(i.Since.Add(doubtSpan))
}

// doubtRests reports whether it is too early to send the token again. It uses the times in
// the record only if they are plausible by this process's clock.
func (k *step) doubtRests(i *states.Intent) bool {
	left := i.Until.Sub(k.at)
	return i.Lost && left > 0 && left <= 2*maxRestLost
}

func doubted() wire.Problem {
	return wire.Problem{
		Rule:   rules.RefreshAmbiguousOnce,
		Detail: "the refresh token may have been spent: the answers to it were lost for more than an hour",
	}
}

// giveUp: no process sends the refresh token again. It stays stored until a login has
// succeeded.
func (k *step) giveUp(on Event, party states.Party, p wire.Problem) Event {
	k.NoRenew = true
	k.fail(on, party, p)
	k.final(on)
	r, i := *k.Record, states.Intent{Attempt: 1}
	if was := k.Record.Intent; was != nil {
		i = *was
	}
	i.GivenUp, i.Lost, i.Until = true, false, k.at
	r.Intent, k.Record, k.Spent = &i, &r, ""
	return on
}

func (k *step) givenUp() Event {
	return k.toLogin(RefreshLost, RefreshLostQuietly, RefreshLostWhileHolding)
}

// renewable reports whether a new token can be requested without a user.
func (k *step) renewable() bool {
	return k.Token().Renewable() && !k.NoRenew && !k.Record.GivenUp()
}
