package transitions

import (
	"context"
	"errors"
	"fmt"

	looplab "github.com/looplab/fsm"

	"github.com/stile-oauth/stile/states"
)

// Law is a table in the form in which looplab's machine moves by it. looplab was asked once
// about each row, and its answers are kept. A Law never changes, and any number of
// goroutines may use it.
type Law struct {
	states map[states.State]int
	events map[Event]int
	names  []states.State // by number
	// answers has an entry for each state and event, by their numbers.
	answers []answer
}

// answer is where looplab went from one state by one event.
type answer struct {
	known bool // there is a row
	holds bool
	to    uint16
}

// mover is what a Law asks: looplab's machine, or a replacement in tests.
type mover interface {
	SetState(state string)
	Event(ctx context.Context, event string, args ...any) error
	Current() string
}

// law is the Law of Table.
var law = NewLaw(Table)

// NewLaw drives every row through the Event of a new looplab machine, and keeps the
// answers. The machine has no callbacks: effects are values, never side effects of a move.
// Step uses the Law of Table; other Laws are for tests that show what a changed row would
// break.
func NewLaw(rows []Row) *Law {
	var events []looplab.EventDesc
	for _, r := range rows {
		events = append(events, looplab.EventDesc{Name: string(r.On), Src: []string{string(r.From)}, Dst: string(r.To)})
	}
	return ask(looplab.NewFSM(string(states.Idle), events, nil), rows)
}

func ask(m mover, rows []Row) *Law {
	l := &Law{states: map[states.State]int{}, events: map[Event]int{}}
	number := func(s states.State) int {
		n, ok := l.states[s]
		if !ok {
			n = len(l.names)
			l.states[s], l.names = n, append(l.names, s)
		}
		return n
	}
	for _, r := range rows {
		number(r.From)
		number(r.To)
		if _, ok := l.events[r.On]; !ok {
			l.events[r.On] = len(l.events)
		}
	}
	l.answers = make([]answer, len(l.names)*len(l.events))
	for _, r := range rows {
		if to, err := drive(m, r.From, r.On); err == nil {
			l.answers[l.states[r.From]*len(l.events)+l.events[r.On]] = answer{known: true, holds: r.Hold, to: uint16(number(to))}
		}
	}
	return l
}

// drive lets looplab move from a state by an event. For looplab a row that leads to its own
// state is an error; here it is not. The context is the background context, because a
// cancelled context would block looplab's machine permanently.
func drive(m mover, from states.State, on Event) (states.State, error) {
	m.SetState(string(from))
	err := m.Event(context.Background(), string(on))
	if _, same := errors.AsType[looplab.NoTransitionError](err); err != nil && !same {
		return from, err
	}
	return states.State(m.Current()), nil
}

// Fire moves from the state by the event: it returns the new state, and whether the row
// holds. It returns an error if the table has no such row.
func (l *Law) Fire(from states.State, on Event) (to states.State, held bool, err error) {
	s, known := l.states[from]
	e, named := l.events[on]
	if known && named {
		if a := l.answers[s*len(l.events)+e]; a.known {
			return l.names[a.to], a.holds, nil
		}
	}
	return from, false, fmt.Errorf("the table has no row for %s in %s", on, from)
}

// Fire moves by Table.
func Fire(from states.State, on Event) (to states.State, held bool, err error) {
	return law.Fire(from, on)
}
