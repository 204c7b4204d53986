package script_test

import (
	stdjson "encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/script"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

func lookup(id string) (wire.Rule, bool) { return wire.LookupRule(wire.RuleID(id)) }

var twin = fsm.NewEngine()

// keepsContract checks one step against the sentences of fsm/doc.go.
func keepsContract(t *testing.T, p script.Step) {
	t.Helper()
	before, err := p.Before.Snapshot()
	if err != nil {
		t.Fatalf("a machine in %s cannot be written: %v", p.Before.State, err)
	}
	restored, err := fsm.Restore(before)
	if p.Before.Data.Config != nil && err != nil {
		t.Fatalf("a machine in %s cannot be read again: %v", p.Before.State, err)
	}
	if p.Before.Data.Config == nil {
		return
	}
	// A machine survives its snapshot, and its twin answers alike (1).
	if d := cmp.Diff(p.Before, restored, equal...); d != "" {
		t.Errorf("a snapshot of %s loses something:\n%s", p.Before.State, d)
	}
	again, err := twin.Tell(restored, p.At, p.In)
	if (err == nil) != (p.Err == nil) {
		t.Fatalf("%T in %s: %v, but of a restored machine %v", p.In, p.Before.State, p.Err, err)
	}
	if d := cmp.Diff(p.Result, again, equal...); d != "" {
		t.Errorf("%T in %s is not the same for a restored machine:\n%s", p.In, p.Before.State, d)
	}
	// The machine that was given is a value: nothing of it has changed (2).
	if after, _ := p.Before.Snapshot(); after != before {
		t.Errorf("%T in %s changed the machine it was given", p.In, p.Before.State)
	}
	if p.Err != nil {
		if d := cmp.Diff(p.Before, p.Result.Machine, equal...); d != "" {
			t.Errorf("a refused %T in %s changed something:\n%s", p.In, p.Before.State, d)
		}
		return
	}
	keepsOrder(t, p)
	keepsSecrets(t, p)
	keepsPending(t, p)
	if wrong := states.Invariant(p.Result.Machine.State, &p.Result.Machine.Data); wrong != "" {
		t.Errorf("%s after %s: %s", p.Result.Machine.State, p.Result.Event, wrong)
	}
}

// equal compares secrets by their value; no decision tells an empty list from
// none.
var equal = []cmp.Option{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b wire.Secret) bool { return a.Reveal() == b.Reveal() })}

// keepsOrder: statements first, at most one question, last, with the serial of
// the machine (3, 4).
func keepsOrder(t *testing.T, p script.Step) {
	t.Helper()
	for i, e := range p.Result.Effects {
		serial, question := states.SerialOfEffect(e)
		if !question {
			continue
		}
		if i != len(p.Result.Effects)-1 {
			t.Errorf("%s after %s: %T is a question and does not come last", p.Result.Machine.State, p.Result.Event, e)
		}
		want := p.Result.Machine.Data.Serial
		if _, ok := e.(states.Visit); ok {
			want = p.Result.Machine.Data.Flow.Visit
		}
		if serial != want {
			t.Errorf("%s after %s: %T has serial %d, not %d", p.Result.Machine.State, p.Result.Event, e, serial, want)
		}
		if p.Result.Held {
			t.Errorf("%s held after %s and asks %T", p.Result.Machine.State, p.Result.Event, e)
		}
	}
	once := p.Result.Machine.State == states.Registering || p.Result.Machine.State == states.Exchanging || p.Result.Machine.State == states.Refreshing
	for _, e := range p.Result.Effects {
		if s, ok := e.(states.Send); ok && s.Once != once {
			t.Errorf("a Send of %s has Once %v", p.Result.Machine.State, s.Once)
		}
	}
}

// secretsOf lists what must not be printed.
func secretsOf(m fsm.Machine) []string {
	var out []string
	add := func(list ...wire.Secret) {
		for _, s := range list {
			if len(s) >= 8 {
				out = append(out, s.Reveal())
			}
		}
	}
	token := func(t *states.Token) {
		if t != nil {
			add(t.AccessToken, t.RefreshToken, t.Client.Secret, t.Client.RegistrationToken)
		}
	}
	d := m.Data
	add(d.Seed, d.Spent)
	if d.Config.Client != nil {
		add(d.Config.Client.Secret)
	}
	add(d.Config.InitialToken)
	token(d.Obtained)
	if d.Record != nil {
		token(d.Record.Current)
	}
	for i := range d.Retiring {
		token(&d.Retiring[i])
	}
	if f := d.Flow; f != nil {
		add(f.Verifier, f.State, f.Client.Secret)
		if cb, bad := wire.ParseCallback(f.Callback.Reveal()); bad == nil {
			add(cb.Code)
		}
	}
	return out
}

// keepsSecrets: no way of printing shows a secret (6).
func keepsSecrets(t *testing.T, p script.Step) {
	t.Helper()
	secrets := append(secretsOf(p.Before), secretsOf(p.Result.Machine)...)
	values := []any{p.Result.Machine, p.Result.Machine.Data, p.Result, &p.Result.Machine, p.In}
	for _, e := range p.Result.Effects {
		values = append(values, e)
	}
	for _, v := range values {
		for how, text := range printed(v) {
			for _, s := range secrets {
				if strings.Contains(text, s) {
					t.Errorf("%s of %T shows a secret in %s after %s", how, v, p.Result.Machine.State, p.Result.Event)
				}
			}
		}
	}
}

// printed prints a value in every usual way.
func printed(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	if b, err := stdjson.Marshal(v); err == nil {
		out["encoding/json"] = string(b)
	}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("step", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("step", "v", v)
	out["slog"] = b.String()
	return out
}

// keepsPending: what is pending is what was asked, and asking changes nothing (7).
func keepsPending(t *testing.T, p script.Step) {
	t.Helper()
	m := p.Result.Machine
	was, _ := m.Snapshot()
	pending := fsm.Pending(m)
	if now, _ := m.Snapshot(); now != was {
		t.Errorf("asking what is pending in %s changed it", m.State)
	}
	var asked []states.Effect
	for _, e := range p.Result.Effects {
		switch e.(type) {
		case states.Note, states.Report, states.Release:
		default:
			asked = append(asked, e)
		}
	}
	if p.Result.Held {
		asked = nil
		for _, e := range fsm.Pending(p.Before) {
			asked = append(asked, e)
		}
	}
	if m.State == states.Checking && !p.Result.Held { // the Visit stays open beside it
		visits := 0
		for _, e := range pending {
			if _, ok := e.(states.Visit); ok {
				visits++
			}
		}
		if visits != 1 {
			t.Errorf("the visit is not pending in %s", m.State)
		}
		return
	}
	if d := cmp.Diff(asked, pending, equal...); d != "" && p.Result.Event != transitions.TokenAccepted {
		t.Errorf("what is pending in %s after %s is not what was asked:\n%s", m.State, p.Result.Event, d)
	}
}
