package transitions

import (
	"context"
	"errors"
	"fmt"

	looplab "github.com/looplab/fsm"

	"github.com/stile-oauth/stile/states"
)

// Machine is looplab's machine over Table. It holds a state only while Fire
// runs; making one is dear (tens of microseconds), using it again is not. It
// is not for concurrent use.
type Machine struct {
	looplab *looplab.FSM
	holds   map[edge]bool
}

type edge struct {
	from states.State
	on   Event
}

// NewMachine builds looplab's machine from rows (Table, unless a test says
// otherwise). There are no callbacks: effects are values, never side effects
// of moving.
func NewMachine(rows []Row) *Machine {
	m := &Machine{holds: make(map[edge]bool)}
	var events []looplab.EventDesc
	for _, r := range rows {
		events = append(events, looplab.EventDesc{Name: string(r.On), Src: []string{string(r.From)}, Dst: string(r.To)})
		if r.Hold {
			m.holds[edge{r.From, r.On}] = true
		}
	}
	m.looplab = looplab.NewFSM(string(states.Idle), events, nil)
	return m
}

// Fire moves from the state by the event: it gives the state arrived in, and
// whether the row holds. It errs when the table has no such row. The context
// is always the background one: a cancelled context would wedge looplab's
// machine for good.
func (m *Machine) Fire(from states.State, on Event) (to states.State, held bool, err error) {
	m.looplab.SetState(string(from))
	if err := m.looplab.Event(context.Background(), string(on)); err != nil {
		if _, same := errors.AsType[looplab.NoTransitionError](err); !same {
			return from, false, fmt.Errorf("the table has no row for %s in %s", on, from)
		}
	}
	return states.State(m.looplab.Current()), m.holds[edge{from, on}], nil
}
