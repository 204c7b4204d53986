package fsm_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// TestFollow: a machine that follows one that was told the same is where that
// one is, with the same effects, and is refused what that one was refused.
func TestFollow(t *testing.T) {
	e := fsm.NewEngine()
	followed, refused := 0, 0
	for _, p := range sample(steps(t), 3) {
		if p.Err != nil {
			refused++
			lead := fsm.Result{From: p.Before.State}
			got, err := e.Follow(p.Before, p.At, p.In, &lead)
			if err == nil || err.Error() != p.Err.Error() {
				t.Errorf("%T in %s: told %v, followed %v", p.In, p.Before.State, p.Err, err)
			}
			if d := cmp.Diff(p.Before, got.Machine, equal...); d != "" {
				t.Errorf("%T in %s was refused and changed the machine:\n%s", p.In, p.Before.State, d)
			}
			continue
		}
		followed++
		if p.Result.From != p.Before.State {
			t.Errorf("%T in %s: the result is from %s", p.In, p.Before.State, p.Result.From)
		}
		got, err := e.Follow(p.Before, p.At, p.In, &p.Result)
		if err != nil {
			t.Fatalf("%T in %s: %v", p.In, p.Before.State, err)
		}
		if d := cmp.Diff(p.Result, got, equal...); d != "" {
			t.Errorf("%T in %s, followed:\n%s", p.In, p.Before.State, d)
		}
	}
	if followed*everyStep < 1000 || refused == 0 {
		t.Errorf("%d steps were followed, %d refused", followed, refused)
	}
}

// TestFollowStray: a machine that would take another row than its leader, from
// another state or by another event, is not moved.
func TestFollowStray(t *testing.T) {
	e := fsm.NewEngine()
	strayed := 0
	for _, p := range sample(steps(t), 30) {
		if p.Err != nil {
			continue
		}
		elsewhere, otherwise := p.Result, p.Result
		elsewhere.From, otherwise.Event = states.Idle, transitions.Illegal
		if p.Before.State == states.Idle {
			elsewhere.From = states.Failed
		}
		for _, lead := range []fsm.Result{elsewhere, otherwise} {
			strayed++
			got, err := e.Follow(p.Before, p.At, p.In, &lead)
			if !errors.Is(err, fsm.ErrStray) {
				t.Fatalf("%T in %s behind %s in %s: %v", p.In, p.Before.State, lead.Event, lead.From, err)
			}
			if got.Event != p.Result.Event || got.Effects != nil {
				t.Errorf("%T in %s is %s with %v", p.In, p.Before.State, got.Event, got.Effects)
			}
			if d := cmp.Diff(p.Before, got.Machine, equal...); d != "" {
				t.Errorf("%T in %s strayed and moved:\n%s", p.In, p.Before.State, d)
			}
		}
	}
	if strayed == 0 {
		t.Error("nothing strayed")
	}
}
