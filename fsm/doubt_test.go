package fsm_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// What comes out of a file or a store may have been damaged or forged: a
// snapshot, a parked login, a record. It is refused or it is borne; nothing of
// it makes Step or Pending fail in a way of their own.

// forged is what stands in the place of each fact in turn; "" takes it out.
var forged = []string{"", "-1", "99", `""`, `"x"`, "[]", "{}"}

// spots lists the places of a JSON value, depth first, by the names and
// numbers that lead to them.
func spots(v any, at []string) (out [][]string) {
	within := func(name string, v any) {
		here := append(slices.Clone(at), name)
		out = append(append(out, here), spots(v, here)...)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			within(name, v[name])
		}
	case []any:
		for i := range v {
			within(strconv.Itoa(i), v[i])
		}
	}
	return out
}

// altered puts raw JSON in the place that at leads to, or takes out what is
// there.
func altered(v any, at []string, raw string) any {
	if len(at) == 0 {
		return json.RawMessage(raw)
	}
	keep := len(at) > 1 || raw != ""
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		delete(out, at[0])
		if keep {
			out[at[0]] = altered(v[at[0]], at[1:], raw)
		}
		return out
	case []any:
		var out []any
		for i, w := range v {
			switch {
			case strconv.Itoa(i) != at[0]:
				out = append(out, w)
			case keep:
				out = append(out, altered(w, at[1:], raw))
			}
		}
		return out
	}
	return v
}

func parsed(t testing.TB, text wire.Secret) any {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(text.Reveal()))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func written(t testing.TB, v any) wire.Secret {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Secret(b)
}

// doubts is what the stories leave that can be doubted.
type doubts struct {
	engine    *fsm.Engine
	snapshots []wire.Secret  // of each state, with different facts
	states    []states.State // theirs
	logins    []wire.Secret  // as they were parked
	loads     []fsm.Machine  // that wait for a record, with what they were given
	records   []wire.Secret
	told      map[states.State][]states.Input // what the stories say in a state
}

func newDoubts(t testing.TB) *doubts {
	d := &doubts{engine: fsm.NewEngine(), told: map[states.State][]states.Input{}}
	seen := map[string]bool{}
	first := func(kind string) bool { was := seen[kind]; seen[kind] = true; return !was }
	for _, p := range sample(steps(t), 2) {
		text, err := p.Before.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		facts, _ := parsed(t, text).(map[string]any)["data"].(map[string]any)
		if first(string(p.Before.State) + strings.Join(slices.Sorted(maps.Keys(facts)), " ")) {
			d.snapshots, d.states = append(d.snapshots, text), append(d.states, p.Before.State)
		}
		if first(string(p.Before.State) + string(p.Result.Event) + inputName(p.In)) {
			d.told[p.Before.State] = append(d.told[p.Before.State], p.In)
		}
		if in, ok := p.In.(states.Loaded); ok && p.Err == nil {
			d.loads, d.records = append(d.loads, p.Before), append(d.records, in.Value)
		}
		for _, e := range p.Result.Effects {
			if s, ok := e.(states.Save); ok && s.Key.Kind == states.KindLogin {
				d.logins = append(d.logins, s.Value)
			}
		}
	}
	return d
}

// lives holds a machine to what every machine keeps: each input is taken or
// refused, and what comes of it is a machine that can be kept. It gives what is
// wrong, or nothing.
func (d *doubts) lives(m fsm.Machine) (wrong string) {
	doing := "Pending"
	defer func() {
		if p := recover(); p != nil {
			wrong = fmt.Sprintf("%v at %s in %s", p, doing, m.State)
		}
	}()
	fsm.Pending(m)
	text, err := m.Snapshot()
	if err != nil {
		return "it cannot be written: " + err.Error()
	}
	if _, err := fsm.Restore(text); err != nil {
		return "it cannot be restored again: " + err.Error()
	}
	inputs := append(everyInput(m.Data.Serial), d.told[m.State]...)
	if m.Data.Flow != nil {
		back := "http://127.0.0.1:1/callback?code=c&state=" + m.Data.Flow.State.Reveal()
		inputs = append(inputs, states.Redirected{Serial: m.Data.Flow.Visit, URL: wire.Secret(back)})
	}
	for _, in := range inputs {
		doing = fmt.Sprintf("%T", in)
		r, err := d.engine.StepResult(m, m.Data.At.Add(time.Minute), in)
		if err != nil {
			continue
		}
		fsm.Pending(r.Machine)
		if wrong := states.Invariant(r.Machine.State, &r.Machine.Data); wrong != "" {
			return fmt.Sprintf("%T leads from %s to %s: %s", in, m.State, r.Machine.State, wrong)
		}
	}
	return ""
}

func (d *doubts) restored(text wire.Secret) string {
	m, err := fsm.Restore(text)
	if err != nil {
		return ""
	}
	return d.lives(m)
}

// resumed takes up a login that was parked as the text has it.
func (d *doubts) resumed(text wire.Secret) string {
	l, err := states.DecodeLogin(text, 3)
	if err != nil {
		return ""
	}
	m, err := fsm.Resume(l)
	if err != nil {
		return ""
	}
	if wrong := d.lives(m); wrong != "" {
		return wrong
	}
	r, err := d.engine.StepResult(m, m.Data.At, states.Resumed{Seed: wire.Secret(strings.Repeat("s", fsm.MinSeed))})
	if err != nil {
		return "it cannot be resumed: " + err.Error()
	}
	return d.lives(r.Machine)
}

// loaded gives a machine that waits for a record what the store has.
func (d *doubts) loaded(m fsm.Machine, text wire.Secret) string {
	r, err := d.engine.StepResult(m, m.Data.At, states.Loaded{Serial: m.Data.Serial, Generation: 5, Value: text})
	if err != nil {
		return "a record is refused: " + err.Error()
	}
	return d.lives(r.Machine)
}

// all is the number of texts that can be forged.
func (d *doubts) all() int { return len(d.snapshots) + len(d.logins) + len(d.loads) }

// text gives the i-th of them, what it is, and what must become of a forgery.
func (d *doubts) text(i int) (what string, text wire.Secret, try func(wire.Secret) string) {
	if i < len(d.snapshots) {
		return "a snapshot in " + string(d.states[i]), d.snapshots[i], d.restored
	}
	if i -= len(d.snapshots); i < len(d.logins) {
		return "a login", d.logins[i], d.resumed
	}
	i -= len(d.logins)
	m := d.loads[i]
	return "what is loaded in " + string(m.State), d.records[i], func(s wire.Secret) string { return d.loaded(m, s) }
}

// forge tries every n-th forgery of a text.
func (d *doubts) forge(t *testing.T, i int, raws []string, n int) {
	what, text, try := d.text(i)
	v, tried := parsed(t, text), i
	for _, at := range spots(v, nil) {
		for _, raw := range raws {
			if tried++; tried%n != 0 {
				continue
			}
			if wrong := try(written(t, altered(v, at, raw))); wrong != "" {
				t.Errorf("%s with %q for %s: %s", what, raw, strings.Join(at, "."), wrong)
			}
		}
	}
}

// TestDoubts forges each fact of a snapshot of each state, of a login, and of
// each kind of record at each place where one is read.
func TestDoubts(t *testing.T) {
	d := newDoubts(t)
	if len(d.snapshots) < len(states.All) || len(d.logins) == 0 || len(d.loads) == 0 {
		t.Fatalf("%d snapshots, %d logins, %d loads", len(d.snapshots), len(d.logins), len(d.loads))
	}
	done := map[string]bool{}
	for i := range d.all() {
		what, text, try := d.text(i)
		if done[what] {
			continue
		}
		done[what] = true
		if wrong := try(text); wrong != "" {
			t.Errorf("%s: %s", what, wrong)
		}
		d.forge(t, i, forged, everyForgery)
	}
}

// TestRegistrationTakenOut forges one fact of all texts: a login whose client is registered
// names no stored registration.
func TestRegistrationTakenOut(t *testing.T) {
	d := newDoubts(t)
	at, forgeries := []string{"data", "flow", "registration"}, 0
	for i := range d.all() {
		what, text, try := d.text(i)
		v := parsed(t, text)
		if !slices.ContainsFunc(spots(v, nil), func(s []string) bool { return slices.Equal(s, at) }) {
			continue
		}
		forgeries++
		if wrong := try(written(t, altered(v, at, ""))); wrong != "" {
			t.Errorf("%s: %s", what, wrong)
		}
	}
	if forgeries == 0 {
		t.Error("no text names a registration")
	}
}

// FuzzDoubts forges any fact of any of them with anything.
func FuzzDoubts(f *testing.F) {
	d := newDoubts(f)
	for i := range d.all() {
		f.Add(uint16(i), uint16(7*i), forged[i%len(forged)])
	}
	f.Fuzz(func(t *testing.T, which, spot uint16, raw string) {
		if raw != "" && !json.Valid([]byte(raw)) {
			return
		}
		what, text, try := d.text(int(which) % d.all())
		v := parsed(t, text)
		at := spots(v, nil)
		here := at[int(spot)%len(at)]
		if wrong := try(written(t, altered(v, here, raw))); wrong != "" {
			t.Fatalf("%s with %q for %s: %s", what, raw, strings.Join(here, "."), wrong)
		}
	})
}
