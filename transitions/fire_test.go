package transitions_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	looplab "github.com/looplab/fsm"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// TestCancelledContextWedgesLooplab shows why Fire gives looplab the background
// context and no other: after one event with a cancelled one, looplab's machine
// refuses every event from then on.
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

// fresh is a new machine of looplab's over rows.
func fresh(rows []transitions.Row) *looplab.FSM {
	var events []looplab.EventDesc
	for _, r := range rows {
		events = append(events, looplab.EventDesc{Name: string(r.On), Src: []string{string(r.From)}, Dst: string(r.To)})
	}
	return looplab.NewFSM(string(states.Idle), events, nil)
}

// differences asks a new machine of looplab's for every event of the rows in
// every state, and tells where the law says something else.
func differences(l *transitions.Law, rows []transitions.Row) (out []string) {
	m := fresh(rows)
	holds := map[pair]bool{}
	var events []transitions.Event
	for _, r := range rows {
		holds[pair{r.From, r.On}] = r.Hold
		if !slices.Contains(events, r.On) {
			events = append(events, r.On)
		}
	}
	for _, s := range states.All {
		for _, on := range events {
			m.SetState(string(s))
			takes := m.Can(string(on))
			if err := m.Event(context.Background(), string(on)); takes && err != nil && !errors.As(err, new(looplab.NoTransitionError)) {
				out = append(out, fmt.Sprintf("%s in %s: looplab fails: %v", on, s, err))
			}
			to, held, err := l.Fire(s, on)
			switch want := states.State(m.Current()); {
			case (err == nil) != takes:
				out = append(out, fmt.Sprintf("%s in %s: looplab takes it: %v, the law says %v", on, s, takes, err))
			case to != want || held != (takes && holds[pair{s, on}]):
				out = append(out, fmt.Sprintf("%s in %s: looplab leads to %s, the law to %s (held %v)", on, s, want, to, held))
			}
		}
	}
	return out
}

// TestLawIsLooplabs: what a step goes by is what looplab's machine does over
// Table, for every event in every state.
func TestLawIsLooplabs(t *testing.T) {
	for _, d := range differences(transitions.NewLaw(transitions.Table), transitions.Table) {
		t.Error(d)
	}
	for _, r := range transitions.Table {
		to, held, err := transitions.Fire(r.From, r.On)
		if to != r.To || held != r.Hold || err != nil {
			t.Errorf("%s in %s leads to %s (held %v, %v), the row to %s (%v)", r.On, r.From, to, held, err, r.To, r.Hold)
		}
	}
}

// another answers by a map of its own, and counts what it was asked.
type another struct {
	at    string
	asked []pair
	leads func(from states.State, on transitions.Event) states.State
}

func (m *another) SetState(s string) { m.at = s }
func (m *another) Current() string   { return m.at }

func (m *another) Event(_ context.Context, on string, _ ...any) error {
	p := pair{states.State(m.at), transitions.Event(on)}
	m.asked = append(m.asked, p)
	m.at = string(m.leads(p.from, p.on))
	if m.at == "" {
		return errors.New("no such row")
	}
	return nil
}

// TestLooplabDecides: a law says what the machine answered that was asked about
// every row, and not what stands in the row: one that answers otherwise in a
// single row makes another law, and the comparison with looplab notices.
func TestLooplabDecides(t *testing.T) {
	moves := map[pair]states.State{}
	for _, r := range transitions.Table {
		moves[pair{r.From, r.On}] = r.To
	}
	same := &another{leads: func(s states.State, on transitions.Event) states.State { return moves[pair{s, on}] }}
	if d := differences(transitions.Ask(same, transitions.Table), transitions.Table); len(d) > 0 {
		t.Errorf("a map that agrees with looplab makes a law that does not: %s", d[0])
	}
	if len(same.asked) != len(transitions.Table) {
		t.Errorf("%d questions about %d rows", len(same.asked), len(transitions.Table))
	}
	for i, r := range transitions.Table {
		if same.asked[i] != (pair{r.From, r.On}) {
			t.Fatalf("row %d is %s in %s, and what was asked is %v", i, r.On, r.From, same.asked[i])
		}
		if i%50 != 0 {
			continue
		}
		elsewhere := states.Failed
		if r.To == elsewhere {
			elsewhere = states.Idle
		}
		other := &another{leads: func(s states.State, on transitions.Event) states.State {
			if s == r.From && on == r.On {
				return elsewhere
			}
			return moves[pair{s, on}]
		}}
		if d := differences(transitions.Ask(other, transitions.Table), transitions.Table); len(d) != 1 {
			t.Errorf("%s in %s goes by another map, and the comparison with looplab finds %d differences", r.On, r.From, len(d))
		}
		deaf := &another{leads: func(s states.State, on transitions.Event) states.State {
			if s == r.From && on == r.On {
				return ""
			}
			return moves[pair{s, on}]
		}}
		if _, _, err := transitions.Ask(deaf, transitions.Table).Fire(r.From, r.On); err == nil {
			t.Errorf("%s in %s was refused when asked, and is fired", r.On, r.From)
		}
	}
}

// TestFireRefuses: what the table has no row for is an error, and moves nothing.
func TestFireRefuses(t *testing.T) {
	for _, p := range []pair{{states.Idle, transitions.TokenIssued}, {states.Idle, transitions.Illegal}, {"Nowhere", transitions.Begun}, {states.Idle, "Nothing"}} {
		if to, held, err := transitions.Fire(p.from, p.on); err == nil || to != p.from || held {
			t.Errorf("%s in %s: %s %v %v", p.on, p.from, to, held, err)
		}
	}
}

// TestMutantRowsAreFired: a law over other rows keeps to those.
func TestMutantRowsAreFired(t *testing.T) {
	l := transitions.NewLaw([]transitions.Row{
		{From: states.Idle, On: transitions.Begun, To: states.Failed},
		{From: states.Idle, On: transitions.TimePassed, To: states.Idle, Hold: true},
		{From: states.Failed, On: transitions.AskedAgain, To: states.Failed},
	})
	if to, held, err := l.Fire(states.Idle, transitions.Begun); to != states.Failed || held || err != nil {
		t.Errorf("%s %v %v", to, held, err)
	}
	if to, held, err := l.Fire(states.Idle, transitions.TimePassed); to != states.Idle || !held || err != nil {
		t.Errorf("%s %v %v", to, held, err)
	}
	if to, held, err := l.Fire(states.Failed, transitions.AskedAgain); to != states.Failed || held || err != nil {
		t.Errorf("%s %v %v", to, held, err)
	}
}
