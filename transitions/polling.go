package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Polling: what the answers to a poll mean (docs/grants.md#polling).

// The limits of polling that this project chose.
const (
	slowDown    = 5 * time.Second // RFC 8628 §3.5
	maxInterval = time.Minute
)

// pollNext sets when the issuer is asked next, and when the machine is woken.
func (k *step) pollNext() {
	f := k.flow()
	d := *f.Device
	d.Next = k.at.Add(d.Interval)
	f.Device = &d
	k.wakeToPoll()
}

func (k *step) wakeToPoll() {
	f := k.Flow
	k.WakeAt = f.Device.Next
	if mark := f.MarkUntil.Add(renewMark - states.MarkLife); mark.After(k.at) && mark.Before(k.WakeAt) {
		k.WakeAt = mark // a mark that runs out lets another process ask as well
	}
	if k.WakeAt.After(f.Deadline) {
		k.WakeAt = f.Deadline
	}
}

// slower lengthens the interval permanently.
func (k *step) slower(by time.Duration) {
	f := k.flow()
	d := *f.Device
	d.Interval = min(d.Interval+by, max(maxInterval, d.Interval))
	f.Device = &d
}

func awaitingUser(k *step) Event {
	switch k.in.(type) {
	case states.Cancelled:
		return k.cancelled(Cancelled)
	case states.Ticked:
		f := k.flow()
		switch {
		case !k.at.Before(f.Deadline):
			return k.deviceExpired()
		case !k.at.Before(f.MarkUntil.Add(renewMark - states.MarkLife)):
			f.MarkUntil = k.at.Add(states.MarkLife)
			return MarkDue
		case !k.at.Before(f.Device.Next):
			return k.orProve(PollDue, f.Client)
		}
	}
	return Illegal
}

func (k *step) deviceExpired() Event {
	return k.fail(LoginExpired, states.PartyUser, wire.Problem{Rule: rules.ExtDeviceEnd, Detail: "nobody entered the code in time"})
}

// remarkingDevice: if the mark is gone, another process may have gone on with the parked
// code. This one announces its login again, and waits if it has.
func remarkingDevice(k *step) Event {
	f := k.flow()
	switch in := k.in.(type) {
	case states.Cancelled:
		return k.cancelled(Cancelled)
	case states.Saved:
		f.Mark = in.Generation
		k.wakeToPoll()
		return MarkRenewed
	case states.Conflicted:
		if f.Login == 0 { // nobody else can go on with it
			k.wakeToPoll()
			return MarkLost
		}
		f.Mark, f.Since, k.Tries = 0, k.at, 0
		return PollerReplaced
	case states.StoreFailed:
		k.wakeToPoll()
		return MarkLost
	}
	return Illegal
}

func signingToPoll(k *step) Event { return k.signInLogin() }

func polling(k *step) Event {
	f := k.flow()
	switch in := k.in.(type) {
	case states.Cancelled:
		k.Cancelled = true
		return CancelNoted
	case states.Responded:
		tok, bad := k.token(in.Response, f.Server.Issuer)
		if bad == nil {
			return k.issued(tok)
		}
		return k.polled(in.Response, bad)
	case states.Unreachable:
		p, refused := unanswered(in)
		if refused {
			return k.fail(ExchangeRefused, partyOf(p), p)
		}
		if in.Class == states.Late { // this process stood still, and its mark has run out
			return k.pollOn(PollPending, 0)
		}
		return k.pollOn(PollTrouble, f.Device.Interval)
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return k.orProve(AskedAgain, f.Client)
	}
	return Illegal
}

// polled decides by the error code (RFC 8628 §3.5).
func (k *step) polled(r wire.Response, bad *wire.Problem) Event {
	f := k.flow()
	if trouble, _ := k.troubled(r, bad); trouble {
		return k.pollOn(PollTrouble, f.Device.Interval)
	}
	if bad.OAuth == nil {
		return k.fail(TokenRefused, states.PartyPeer, *bad)
	}
	on, bad, _ := k.aboutProof(r, bad, f.Client)
	if on != Illegal {
		return on
	}
	switch bad.OAuth.Code {
	case wire.CodeAuthorizationPending:
		return k.pollOn(PollPending, 0)
	case wire.CodeSlowDown:
		return k.pollOn(PollSlowed, slowDown)
	case wire.CodeExpiredToken:
		return k.deviceExpired()
	case wire.CodeAccessDenied:
		bad.Rule = rules.AuthzRespDeniedKeeps
		return k.fail(AuthorizationDenied, states.PartyUser, *bad)
	}
	switch on := k.clientOfDeviceRefused(bad); on {
	case Illegal:
		return k.fail(ExchangeRefused, states.PartyPeer, *bad)
	case MethodRetried:
		return k.orProve(on, k.Flow.Client)
	default:
		return on
	}
}

// pollOn continues to wait, unless no caller is waiting.
func (k *step) pollOn(on Event, slower time.Duration) Event {
	if k.Cancelled {
		return k.cancelled(Cancelled)
	}
	k.slower(slower)
	k.pollNext()
	return on
}
