package trace

import (
	"bytes"
	"fmt"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states/wire"
)

// Difference says where a replay differs from the recording. The zero value says that it
// gave the same bytes.
type Difference struct {
	// Step is the number of the first step that differs; 0: none does.
	Step int
	// Recorded and Replayed are the lines of that step. Replayed is empty when
	// the machine refused the input, and Refused says why.
	Recorded, Replayed []byte
	Refused            string
	// Table is the hash of the table that the trace was made with, if it differs from the
	// table of this release. That alone makes no difference in bytes.
	Table string
}

// Same reports whether the replay gave the same bytes.
func (d Difference) Same() bool { return d.Step == 0 }

// String shows both sides from the point where they differ.
func (d Difference) String() string {
	table := ""
	if d.Table != "" {
		table = "recorded with another table: " + wire.Clean(d.Table, 80) + ", this release has " + TableHash() + "\n"
	}
	if d.Same() {
		return table + "same bytes\n"
	}
	a, b := d.Recorded, d.Replayed
	if d.Refused != "" {
		return fmt.Sprintf("%sstep %d differs\n  recorded: %s\n  replayed: %s\n", table, d.Step, cut(a, 0), wire.Clean(d.Refused, 300))
	}
	at := 0
	for at < len(a) && at < len(b) && a[at] == b[at] {
		at++
	}
	return fmt.Sprintf("%sstep %d differs at byte %d\n  recorded: %s\n  replayed: %s\n", table, d.Step, at, cut(a, at), cut(b, at))
}

// cut shows a piece of a line around a byte.
func cut(line []byte, at int) string {
	from := max(0, at-60)
	to := min(len(line), at+140)
	out := wire.Clean(string(line[min(from, len(line)):to]), 1000)
	if from > 0 {
		out = "…" + out
	}
	if to < len(line) {
		out += "…"
	}
	if len(line) <= at {
		out += " (ends here)"
	}
	return out
}

// Replay runs the inputs of a trace through a fresh engine and compares the results byte
// for byte. It returns an error if the trace has no machine to begin with.
func Replay(t *Trace) (Difference, error) {
	return ReplayWith(fsm.NewEngine(), t)
}

// ReplayWith is Replay with an engine of the caller's.
func ReplayWith(e *fsm.Engine, t *Trace) (Difference, error) {
	var d Difference
	if t.Header.Table != TableHash() {
		d.Table = t.Header.Table
	}
	m, err := t.Begin()
	if err != nil {
		return d, err
	}
	for i := range t.Steps {
		s := &t.Steps[i]
		r, err := e.StepResult(m, s.Time, s.Input)
		if err != nil {
			d.Step, d.Recorded, d.Refused = s.N, s.Line, err.Error()
			return d, nil
		}
		line := appendStep(nil, s.N, m.State, s.Time, s.Input, &r, false)
		line = line[:len(line)-1]
		if !bytes.Equal(line, s.Line) {
			d.Step, d.Recorded, d.Replayed = s.N, s.Line, line
			return d, nil
		}
		m = r.Machine
	}
	return d, nil
}
