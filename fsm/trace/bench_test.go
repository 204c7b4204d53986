package trace

import (
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// told is what the machine of a life was told, to be told again without peers.
type told struct {
	begin fsm.Machine
	at    []time.Time
	in    []states.Input
}

// retold lives a cold login and remembers the inputs.
func retold(t testing.TB) told {
	l := newLife(t, setting{})
	out := told{begin: l.m}
	l.heard = func(at time.Time, in states.Input) { out.at, out.in = append(out.at, at), append(out.in, in) }
	l.begin()
	l.call("get_time")
	return out
}

func (f told) run(b testing.TB, e *fsm.Engine, rec *Recorder) (lines int) {
	m := f.begin
	for i, in := range f.in {
		r, err := e.StepResult(m, f.at[i], in)
		if err != nil {
			b.Fatal(err)
		}
		if rec != nil {
			lines += len(rec.Step(f.at[i], in, r))
		}
		m = r.Machine
	}
	return lines
}

// BenchmarkColdFlow is the machine's own time for a cold login.
func BenchmarkColdFlow(b *testing.B) {
	f, e := retold(b), fsm.NewEngine()
	b.ReportAllocs()
	for b.Loop() {
		f.run(b, e, nil)
	}
}

// BenchmarkColdFlowTraced is the same with a recorder beside it, which is to
// take at most three times as long.
func BenchmarkColdFlowTraced(b *testing.B) {
	f, e := retold(b), fsm.NewEngine()
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		rec, err := NewRecorder(f.begin, Options{})
		if err != nil {
			b.Fatal(err)
		}
		size = len(rec.Header()) + f.run(b, e, rec)
		if rec.Ended() != "" {
			b.Fatal(rec.Ended())
		}
	}
	b.ReportMetric(float64(size), "trace-bytes")
	b.ReportMetric(float64(len(f.in)), "steps")
}

// BenchmarkCost runs both in turn, so that a busy machine slows them alike,
// and reports how many times as long the traced flow takes.
func BenchmarkCost(b *testing.B) {
	f, e := retold(b), fsm.NewEngine()
	var plain, traced time.Duration
	for b.Loop() {
		start := time.Now()
		f.run(b, e, nil)
		middle := time.Now()
		rec, err := NewRecorder(f.begin, Options{})
		if err != nil {
			b.Fatal(err)
		}
		f.run(b, e, rec)
		plain += middle.Sub(start)
		traced += time.Since(middle)
	}
	b.ReportMetric(float64(traced)/float64(plain), "times-the-machine")
}

// BenchmarkManyRefreshes records one login and 5,000 refreshes of it, and reports how
// many times as long a step takes at the end as after the first hundred refreshes.
func BenchmarkManyRefreshes(b *testing.B) {
	const refreshes, compared = 5_000, 100
	l := newLife(b, setting{})
	l.rec = nil
	f := told{begin: l.m}
	ends := make([]int, 0, refreshes)
	l.heard = func(at time.Time, in states.Input) { f.at, f.in = append(f.at, at), append(f.in, in) }
	l.begin()
	for range refreshes {
		l.expire()
		l.secrets = nil // the life's own search is not what is measured
		ends = append(ends, len(f.in))
	}
	e := fsm.NewEngine()
	var early, late time.Duration
	for b.Loop() {
		rec, err := NewRecorder(f.begin, Options{})
		if err != nil {
			b.Fatal(err)
		}
		m := f.begin
		for i, in := range f.in {
			r, err := e.StepResult(m, f.at[i], in)
			if err != nil {
				b.Fatal(err)
			}
			start := time.Now()
			rec.Step(f.at[i], in, r)
			switch took := time.Since(start); {
			case i >= ends[compared] && i < ends[2*compared]:
				early += took
			case i >= ends[refreshes-compared-1]:
				late += took
			}
			m = r.Machine
		}
		if rec.Ended() != "" {
			b.Fatal(rec.Ended())
		}
	}
	b.ReportMetric(float64(late)/float64(early), "late/early")
	b.ReportMetric(float64(late.Nanoseconds())/float64(b.N*compared), "ns/refresh")
}
