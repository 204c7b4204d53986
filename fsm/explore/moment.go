package explore

import (
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// moment is one step, for the invariants.
type moment struct {
	w      *world
	i      int
	at     time.Time
	before fsm.Machine
	in     states.Input
	q      states.Effect // the question that was open
	r      fsm.Result
	err    error
}

func (m *moment) actor() *actor { return &m.w.actors[m.i] }

// legit says that the open question allows the input. Such an input is never refused
// (contract 2).
func (m *moment) legit() bool {
	serial, answer := states.SerialOf(m.in)
	if !answer {
		switch m.in.(type) {
		case states.Ticked, states.Challenged, states.Accepted, states.Cancelled:
			return true
		default: // the others need nothing here
		}
		return false
	}
	a := m.actor()
	if a.visit != nil && serial == a.visit.Serial {
		switch m.in.(type) {
		case states.Redirected, states.Unreachable:
			return true
		default: // the others need nothing here
		}
	}
	if _, back := m.in.(states.Redirected); back {
		return false
	}
	if a.q == nil {
		return false
	}
	want, _ := states.SerialOfEffect(a.q)
	return serial == want && m.in != nil && allowed(a.q, m.in)
}

// allowed is the list of answers of each question (states.Effect).
func allowed(q states.Effect, in states.Input) bool {
	_, failed := in.(states.StoreFailed)
	_, missing := in.(states.NotFound)
	_, conflict := in.(states.Conflicted)
	switch q.(type) {
	case states.Send:
		_, responded := in.(states.Responded)
		_, unreachable := in.(states.Unreachable)
		return responded || unreachable
	case states.Sign, states.Assert:
		_, signed := in.(states.Signed)
		_, unsigned := in.(states.Unsigned)
		return signed || unsigned
	case states.Load:
		_, loaded := in.(states.Loaded)
		return loaded || missing || failed
	case states.Lease:
		_, leased := in.(states.Leased)
		_, held := in.(states.Held)
		return leased || held || failed
	case states.Save:
		_, saved := in.(states.Saved)
		return saved || conflict || failed
	case states.Delete:
		_, deleted := in.(states.Deleted)
		return deleted || missing || conflict || failed
	case states.Claim:
		_, claimed := in.(states.Claimed)
		return claimed || missing || conflict || failed
	default: // the others need nothing here
	}
	return false
}
