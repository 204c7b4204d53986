package fsm_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/script"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// The contract of doc.go: one test for each of its sentences.

func typeName(v any) string { return fmt.Sprintf("%T", v) }

// equal compares secrets by their value; no decision tells an empty list from
// none.
var equal = []cmp.Option{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b wire.Secret) bool { return a.Reveal() == b.Reveal() }),
}

func snapshot(t testing.TB, m fsm.Machine) wire.Secret {
	t.Helper()
	s, err := m.Snapshot()
	if err != nil {
		t.Fatalf("a machine in %s cannot be written: %v", m.State, err)
	}
	return s
}

// 1. The same machine, time and input give the same machine and effects; and
// so does a machine that went through its snapshot.
func TestContract1SameInSameOut(t *testing.T) {
	e := fsm.NewEngine()
	for _, p := range sample(steps(t), 3) {
		restored, err := fsm.Restore(snapshot(t, p.Before))
		if err != nil {
			t.Fatalf("a machine in %s cannot be read again: %v", p.Before.State, err)
		}
		if d := cmp.Diff(p.Before, restored, equal...); d != "" {
			t.Errorf("a snapshot of %s loses something:\n%s", p.Before.State, d)
		}
		for _, m := range []fsm.Machine{p.Before, restored} {
			again, err := e.StepResult(m, p.At, p.In)
			if (err == nil) != (p.Err == nil) {
				t.Fatalf("%T in %s: first %v, then %v", p.In, p.Before.State, p.Err, err)
			}
			if d := cmp.Diff(p.Result, again, equal...); d != "" {
				t.Errorf("%T in %s is not the same again:\n%s", p.In, p.Before.State, d)
			}
		}
		local, err := e.StepResult(p.Before, p.At.In(time.FixedZone("elsewhere", 5*3600)), p.In)
		if d := cmp.Diff(p.Result, local, equal...); err == nil && d != "" {
			t.Errorf("%T in %s differs by time zone:\n%s", p.In, p.Before.State, d)
		}
	}
}

// 2. Step errs only for the caller's mistake, and then nothing has changed. No
// step changes the machine that it was given.
func TestContract2AnErrorChangesNothing(t *testing.T) {
	e := fsm.NewEngine()
	refused := 0
	for _, p := range sample(steps(t), 3) {
		before := snapshot(t, p.Before)
		m, effects, err := e.Step(p.Before, p.At, p.In)
		if err == nil {
			continue
		}
		refused++
		if !errors.Is(err, fsm.ErrIllegal) && !errors.Is(err, fsm.ErrStale) {
			t.Errorf("%T in %s: %v is neither ErrIllegal nor ErrStale", p.In, p.Before.State, err)
		}
		if snapshot(t, m) != before || len(effects) > 0 {
			t.Errorf("a refused %T in %s changed something", p.In, p.Before.State)
		}
	}
	if refused == 0 || len(meddled) > 0 {
		t.Errorf("%d mistakes in the stories; these steps changed the machine that they were given: %s", refused, meddled)
	}
	// Every input in every state: an answer to no question is stale, the rest
	// is a row or illegal, and never a panic.
	seen := map[states.State]bool{}
	for _, p := range steps(t) {
		if seen[p.Before.State] {
			continue
		}
		seen[p.Before.State] = true
		before := snapshot(t, p.Before)
		for _, serial := range []uint64{p.Before.Data.Serial, p.Before.Data.Serial + 7} {
			for _, in := range everyInput(serial) {
				m, effects, err := e.Step(p.Before, p.At, in)
				if err != nil && (snapshot(t, m) != before || effects != nil) {
					t.Errorf("a refused %T in %s changed something", in, p.Before.State)
				}
				if _, answers := states.SerialOf(in); answers && serial != p.Before.Data.Serial && err == nil {
					t.Errorf("%T with a serial that is not open was taken in %s", in, p.Before.State)
				}
				if err == nil {
					if wrong := states.Invariant(m.State, &m.Data); wrong != "" {
						t.Errorf("%T in %s led to %s: %s", in, p.Before.State, m.State, wrong)
					}
				}
			}
		}
	}
}

func everyInput(serial uint64) []states.Input {
	r := wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(`{}`)}
	seed := wire.Secret(strings.Repeat("s", 32))
	return []states.Input{
		states.Begun{Seed: seed}, states.Begun{Seed: seed, Login: true}, states.Resumed{Seed: seed},
		states.Loaded{Serial: serial, Value: "{}"}, states.Loaded{Serial: serial, Value: "null", Generation: 1},
		states.Loaded{Serial: serial, Value: `{"version":1}`, Generation: 2}, states.NotFound{Serial: serial},
		states.Leased{Serial: serial, Fence: 1, TTL: time.Minute}, states.Held{Serial: serial},
		states.Saved{Serial: serial, Generation: 9}, states.Deleted{Serial: serial}, states.Claimed{Serial: serial},
		states.Conflicted{Serial: serial}, states.StoreFailed{Serial: serial}, states.StoreFailed{Serial: serial, Entry: true},
		states.Answered{Serial: serial}, states.Answered{Serial: serial, Value: "yes"}, states.Answered{Serial: serial, Values: []string{"a"}},
		states.Responded{Serial: serial, Response: r}, states.Responded{Serial: serial}, states.Responded{Serial: serial, Response: wire.Response{Status: 999}},
		states.Unreachable{Serial: serial}, states.Unreachable{Serial: serial, Class: states.Lost}, states.Unreachable{Serial: serial, Class: states.Blocked},
		states.Redirected{Serial: serial}, states.Challenged{}, states.Challenged{Generation: 3, Response: wire.Response{Status: 401}},
		states.Signed{Serial: serial}, states.Signed{Serial: serial, JWS: "a.b.c"}, states.Unsigned{Serial: serial}, states.Unsigned{Serial: serial, NeedsUser: true},
		states.Accepted{}, states.Ticked{}, states.Interrupted{Seed: seed}, states.Cancelled{}, states.LoggedOut{Seed: seed},
	}
}

// 3. Effects run in order; a question comes last, with the serial that answers
// it.
func TestContract3AQuestionComesLast(t *testing.T) {
	for _, p := range steps(t) {
		m := p.Result.Machine
		for i, e := range p.Result.Effects {
			serial, question := states.SerialOfEffect(e)
			if !question {
				continue
			}
			if i != len(p.Result.Effects)-1 {
				t.Errorf("%s after %s: %T is a question and does not come last", m.State, p.Result.Event, e)
			}
			want := m.Data.Serial
			if _, ok := e.(states.Visit); ok {
				want = m.Data.Flow.Visit
			}
			if serial != want {
				t.Errorf("%s after %s: %T has serial %d, not %d", m.State, p.Result.Event, e, serial, want)
			}
			if p.Result.Held {
				t.Errorf("%s held after %s and asks %T", m.State, p.Result.Event, e)
			}
		}
	}
}

// 4. One question is open at a time; a Visit stays open until it is answered,
// cancelled or expired, and one other question may be open beside it.
func TestContract4OneQuestionAtATime(t *testing.T) {
	beside := 0
	for _, p := range steps(t) {
		if p.Err != nil {
			continue
		}
		m := p.Result.Machine
		questions, visits := 0, 0
		for _, e := range fsm.Pending(m) {
			if v, ok := e.(states.Visit); ok {
				visits++
				if v.Serial != m.Data.Flow.Visit {
					t.Errorf("the visit of %s has another serial", m.State)
				}
			} else if _, ok := states.SerialOfEffect(e); ok {
				questions++
			}
		}
		two := m.State == states.Checking || m.State == states.Remarking
		open := m.State == states.Authorizing || two
		if questions > 1 || visits > 1 || (visits == 1) != open || questions == 1 && visits == 1 && !two {
			t.Errorf("%d questions and %d visits are open in %s", questions, visits, m.State)
		}
		waits := states.Resting(m.State) || m.State == states.Queuing || m.State == states.Waiting || m.State == states.Authorizing ||
			m.State == states.AwaitingUser
		if (questions == 0) != waits {
			t.Errorf("%d questions are open in %s", questions, m.State)
		}
		if questions == 1 && visits == 1 {
			beside++
		}
		// The old and the new login share no visit.
		if b := p.Before; b.State == states.Authorizing && m.State == states.Authorizing && b.Data.Flow.State != m.Data.Flow.State {
			t.Error("the state of a login changed while its visit was open")
		}
	}
	if beside == 0 {
		t.Error("no story has a question open beside a visit")
	}
}

// 5. What is marked Once is registration, exchange and refresh, and an
// interruption never just repeats it: the table decides.
func TestContract5OnceIsNotRepeatedBlindly(t *testing.T) {
	e := fsm.NewEngine()
	tried := map[states.State]bool{}
	for _, p := range sample(steps(t), 2) {
		m := p.Result.Machine
		once := m.State == states.Registering || m.State == states.Exchanging || m.State == states.Refreshing
		for _, eff := range p.Result.Effects {
			if s, ok := eff.(states.Send); ok && s.Once != once {
				t.Errorf("a Send of %s has Once %v", m.State, s.Once)
			}
		}
		if p.Err != nil || !once {
			continue
		}
		tried[m.State] = true
		r, err := e.StepResult(m, p.At.Add(time.Second), states.Interrupted{Seed: wire.Secret(strings.Repeat("s", 32))})
		if err != nil {
			t.Errorf("interrupted in %s: %v", m.State, err)
			continue
		}
		if m.State != states.Registering && r.Machine.State == m.State {
			t.Errorf("an interruption in %s asks again: %s", m.State, r.Event)
		}
		if m.State == states.Registering { // once more, and the orphan is told; then it ends
			r2, err := e.StepResult(r.Machine, p.At.Add(2*time.Second), states.Interrupted{Seed: wire.Secret(strings.Repeat("t", 32))})
			if r.Machine.State == states.Registering && (err != nil || r2.Machine.State == states.Registering) {
				t.Errorf("a second interruption in %s registers a third time", m.State)
			}
		}
	}
	if len(tried) != 3 {
		t.Errorf("tried in %v only", tried)
	}
}

// 7. Pending gives the open questions, Wake and Grant, and changes nothing;
// Release carries the lease's fencing number.
func TestContract7PendingIsWhatWasAsked(t *testing.T) {
	released := 0
	for _, p := range sample(steps(t), 3) {
		if p.Err != nil {
			continue
		}
		m := p.Result.Machine
		was := snapshot(t, m)
		pending := fsm.Pending(m)
		if snapshot(t, m) != was {
			t.Errorf("asking what is pending in %s changed it", m.State)
		}
		asked := fsm.Pending(p.Before)
		if !p.Result.Held {
			asked = nil
			if m.State == states.Checking || m.State == states.Remarking { // the Visit stays open beside it
				asked = fsm.Pending(fsm.Machine{State: states.Authorizing, Data: m.Data})
			}
			asked = append(asked, statements(p.Result.Effects)...)
		}
		if d := cmp.Diff(asked, pending, equal...); d != "" && !accepted(p) {
			t.Errorf("what is pending in %s after %s is not what was asked:\n%s", m.State, p.Result.Event, d)
		}
		for _, e := range p.Result.Effects {
			if r, ok := e.(states.Release); ok {
				released++
				if r.Fence == 0 || states.HoldsLease(m.State) {
					t.Errorf("%s releases fence %d", m.State, r.Fence)
				}
			}
		}
	}
	if released == 0 {
		t.Error("no story releases a lease")
	}
}

// accepted: a Grant says since then that the token was accepted.
func accepted(p script.Step) bool {
	_, ok := p.In.(states.Accepted)
	return ok
}

// statements leaves out what is said once and not again after a restart.
func statements(all []states.Effect) []states.Effect {
	var out []states.Effect
	for _, e := range all {
		switch e.(type) {
		case states.Note, states.Report, states.Release:
		default:
			out = append(out, e)
		}
	}
	return out
}
