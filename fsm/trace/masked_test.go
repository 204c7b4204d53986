package trace_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/stile-oauth/stile/fsm/script"
	"github.com/stile-oauth/stile/fsm/trace"
)

// masking is a story with a recorder beside the machine.
type masking struct {
	t    *testing.T
	s    *script.Script
	rec  *trace.Recorder
	file bytes.Buffer // the trace so far
	said bytes.Buffer // what the lines of the last verb say that came in
}

// TestMasked runs the stories of testdata/masked. A verb prints what the trace says that
// came in. What a story calls CANARY is a secret or somebody's name, and never
// in a trace.
func TestMasked(t *testing.T) {
	datadriven.Walk(t, "../../testdata/masked", func(t *testing.T, path string) {
		m := &masking{t: t}
		m.begin()
		datadriven.RunTest(t, path, m.run)
		m.anew()
	})
}

func (m *masking) begin() {
	m.s = script.New()
	m.s.Observe = func(p script.Step) {
		if p.Err != nil {
			return
		}
		if m.rec == nil {
			before, err := p.Before.Snapshot()
			if err != nil {
				m.t.Fatal(err)
			}
			if m.rec, err = trace.NewRecorder(p.Before, trace.Options{}); err != nil {
				m.t.Fatal(err)
			}
			if after, err := p.Before.Snapshot(); err != nil || after != before {
				m.t.Errorf("recording changes the machine that is recorded: %v", err)
			}
			m.file.Write(m.rec.Header())
		}
		line := m.rec.Step(p.At, p.In, p.Result)
		m.file.Write(line)
		m.said.WriteString(came(string(line)))
	}
}

func (m *masking) run(_ *testing.T, d *datadriven.TestData) string {
	m.said.Reset()
	c := script.Command{Verb: d.Cmd, Block: d.Input}
	for _, a := range d.CmdArgs {
		c.Args = append(c.Args, script.Arg{Name: a.Key, Values: a.Vals})
	}
	switch d.Cmd {
	case "in": // STATE settings: another story, at this state; the trace begins there
		m.anew()
		m.begin()
		m.s.Run(script.Command{Verb: "config", Args: c.Args[1:]})
		m.s.Do("reach "+c.Args[0].Name, "")
		m.anew()
		return strings.SplitAfter(m.s.Do("state", ""), ":")[0] + "\n"
	case "record": // the trace begins here
		m.anew()
		return "ok"
	case "header":
		first, _, _ := strings.Cut(m.file.String(), "\n")
		_, config, _ := strings.Cut(first, `"config":`)
		return config
	case "config":
		m.anew()
	}
	switch out := m.s.Run(c); {
	case strings.HasPrefix(out, "error:"), strings.Contains(out, "refused:"):
		return out
	case d.Cmd == "reach", d.Cmd == "run", m.said.Len() == 0:
		return "ok"
	}
	return m.said.String()
}

// anew ends the trace. It is searched for secrets, and replayed.
func (m *masking) anew() {
	m.t.Helper()
	file := bytes.Clone(m.file.Bytes())
	m.rec = nil
	m.file.Reset()
	if len(file) == 0 {
		return
	}
	if bytes.Contains(file, []byte("CANARY")) {
		m.t.Errorf("the trace holds a secret:\n%s", file)
	}
	tr, err := trace.Parse(file)
	if err != nil {
		m.t.Fatal(err)
	}
	if d, err := trace.Replay(tr); err != nil || !d.Same() {
		m.t.Errorf("replay: %v %s", err, d)
	}
}

// came is what a line says that came in, and what that meant.
func came(line string) string {
	_, in, ok := strings.Cut(line, `"input":`)
	if !ok {
		_, in, _ = strings.Cut(line, `"from":`)
		return in
	}
	in, rest, _ := strings.Cut(in, `,"event":"`)
	event, _, _ := strings.Cut(rest, `"`)
	return event + "\n  " + in + "\n"
}
