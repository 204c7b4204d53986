package transitions_test

import (
	"context"
	"errors"
	"testing"

	looplab "github.com/looplab/fsm"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// TestCancelledContextWedgesLooplab shows why Fire gives looplab the background
// context and no other: after one event with a cancelled one, looplab's machine
// refuses every event for good.
func TestCancelledContextWedgesLooplab(t *testing.T) {
	m := looplab.NewFSM("here", looplab.Events{
		{Name: "go", Src: []string{"here"}, Dst: "there"},
		{Name: "back", Src: []string{"there"}, Dst: "here"},
	}, nil)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m.Event(gone, "go"); err == nil {
		t.Fatal("an event with a cancelled context went through")
	}
	var wedged looplab.InTransitionError
	for _, event := range []string{"go", "back", "go"} {
		if err := m.Event(context.Background(), event); !errors.As(err, &wedged) {
			t.Fatalf("%s: %v; looplab recovers from a cancelled context, and Fire need no longer avoid it", event, err)
		}
	}
}

// TestFireKeepsNothing: a machine that fired, or refused, is as good as new.
func TestFireKeepsNothing(t *testing.T) {
	used, fresh := transitions.NewMachine(transitions.Table), func() *transitions.Machine { return transitions.NewMachine(transitions.Table) }
	for _, r := range transitions.Table[:60] {
		if _, _, err := used.Fire(states.Idle, transitions.TokenIssued); err == nil {
			t.Fatal("Idle takes TokenIssued")
		}
		to1, held1, err1 := used.Fire(r.From, r.On)
		to2, held2, err2 := fresh().Fire(r.From, r.On)
		if to1 != to2 || held1 != held2 || (err1 == nil) != (err2 == nil) {
			t.Errorf("%s in %s: %s %v %v, of a new machine %s %v %v", r.On, r.From, to1, held1, err1, to2, held2, err2)
		}
	}
	if _, _, err := used.Fire(states.Idle, transitions.Illegal); err == nil {
		t.Error("the illegal event has a row")
	}
	if _, _, err := used.Fire("Nowhere", transitions.Begun); err == nil {
		t.Error("a state that does not exist has a row")
	}
}

// TestMutantRowsAreFired: a machine over other rows keeps to those.
func TestMutantRowsAreFired(t *testing.T) {
	m := transitions.NewMachine([]transitions.Row{
		{From: states.Idle, On: transitions.Begun, To: states.Failed},
		{From: states.Idle, On: transitions.TimePassed, To: states.Idle, Hold: true},
		{From: states.Failed, On: transitions.AskedAgain, To: states.Failed},
	})
	if to, held, err := m.Fire(states.Idle, transitions.Begun); to != states.Failed || held || err != nil {
		t.Errorf("%s %v %v", to, held, err)
	}
	if to, held, err := m.Fire(states.Idle, transitions.TimePassed); to != states.Idle || !held || err != nil {
		t.Errorf("%s %v %v", to, held, err)
	}
	if to, held, err := m.Fire(states.Failed, transitions.AskedAgain); to != states.Failed || held || err != nil {
		t.Errorf("%s %v %v", to, held, err)
	}
}
