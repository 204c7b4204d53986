package trace

import (
	"bytes"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// FuzzParse reads anything; what can be read can be replayed and shown.
func FuzzParse(f *testing.F) {
	for _, name := range golden {
		_, b := goldenTrace(f, name)
		for n, end := 0, 0; n < 5; n++ {
			end += bytes.IndexByte(b[end:], '\n') + 1
			f.Add(b[:end])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, err := Parse(b)
		if err != nil {
			return
		}
		if d, err := Replay(tr); err == nil {
			_ = d.String()
		}
		_, _, _ = Explain(tr).String(), TableText(tr), Sequence(tr)
		_, _ = page(tr, ""), Diff(tr, tr).String()
	})
}

// alphabet is every input of the golden traces, each once.
func alphabet(t testing.TB) (letters []states.Input, words [][]byte) {
	at := map[string]int{}
	for _, name := range golden {
		tr, _ := goldenTrace(t, name)
		var word []byte
		for i := range tr.Steps {
			in := withSerial(tr.Steps[i].Input, 0)
			w := writer{b: []byte{'{'}}
			w.input(in)
			n, known := at[string(w.b)]
			if !known {
				n = len(letters)
				at[string(w.b)] = n
				letters = append(letters, in)
			}
			word = append(word, byte(n>>8), byte(n))
		}
		words = append(words, word)
	}
	for _, in := range []states.Input{
		states.Held{}, states.Conflicted{}, states.NotFound{}, states.Cancelled{}, states.Ticked{},
		states.StoreFailed{Detail: "permission denied"}, states.Interrupted{Seed: "again"}, states.Unreachable{Class: states.Lost},
		states.Unreachable{Class: states.Unsent}, states.Accepted{Generation: 1},
	} {
		letters = append(letters, in)
	}
	return letters, words
}

// withSerial puts the serial of the open question into an answer.
func withSerial(in states.Input, serial uint64) states.Input {
	switch in := in.(type) {
	case states.Loaded:
		in.Serial = serial
		return in
	case states.NotFound:
		in.Serial = serial
		return in
	case states.Leased:
		in.Serial = serial
		return in
	case states.Held:
		in.Serial = serial
		return in
	case states.Saved:
		in.Serial = serial
		return in
	case states.Deleted:
		in.Serial = serial
		return in
	case states.Claimed:
		in.Serial = serial
		return in
	case states.Conflicted:
		in.Serial = serial
		return in
	case states.StoreFailed:
		in.Serial = serial
		return in
	case states.Answered:
		in.Serial = serial
		return in
	case states.Responded:
		in.Serial = serial
		return in
	case states.Unreachable:
		in.Serial = serial
		return in
	case states.Redirected:
		in.Serial = serial
		return in
	}
	return in
}

func serialFor(m fsm.Machine, in states.Input) uint64 {
	if _, back := in.(states.Redirected); back && m.Data.Flow != nil {
		return m.Data.Flow.Visit
	}
	return m.Data.Serial
}

// FuzzStep walks through inputs in any order, against a twin that is written
// to JSON and restored before every step, with a recorder beside them.
func FuzzStep(f *testing.F) {
	letters, words := alphabet(f)
	for _, w := range words {
		f.Add(w)
	}
	begin, err := fsm.New(states.Config{Server: resource, Redirects: []string{callback}, ClientName: "Life", Holder: "test"})
	if err != nil {
		f.Fatal(err)
	}
	engine := fsm.NewEngine()
	f.Fuzz(func(t *testing.T, word []byte) {
		m, twin, at := begin, begin, noon
		rec, err := NewRecorder(begin, Options{Engine: engine})
		if err != nil {
			t.Fatal(err)
		}
		out := bytes.Clone(rec.Header())
		for ; len(word) >= 2 && len(out) < 1<<20; word = word[2:] {
			n := int(word[0])<<8 | int(word[1])
			in := letters[n%len(letters)]
			in = withSerial(in, serialFor(m, in))
			at = at.Add(time.Duration(n/len(letters)) * time.Minute)
			snapshot, err := twin.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if twin, err = fsm.Restore(snapshot); err != nil {
				t.Fatal(err)
			}
			r, err := engine.Tell(m, at, in)
			rt, errt := engine.Tell(twin, at, in)
			if (err == nil) != (errt == nil) {
				t.Fatalf("%T in %s: %v, the twin %v", in, m.State, err, errt)
			}
			if err != nil {
				continue
			}
			a, b := appendStep(nil, 1, m.State, at, in, &r, false), appendStep(nil, 1, twin.State, at, in, &rt, false)
			if !bytes.Equal(a, b) {
				t.Fatalf("the twin went another way:\n%s%s", a, b)
			}
			out = append(out, rec.Step(at, in, r)...)
			m, twin = r.Machine, rt.Machine
		}
		tr, err := Parse(out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if tr.Ended != "" {
			t.Fatalf("%s: %s\n%s", tr.Ended, tr.EndedDetail, out)
		}
		if d, err := Replay(tr); err != nil || !d.Same() {
			t.Fatalf("%v %s", err, d)
		}
	})
}
