package trace

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// Format and Version name the format; docs/trace-format.md describes it.
const (
	Format  = "stile-trace"
	Version = 1
)

// Bounds of one trace: a recorder ends beyond them, and a reader refuses more.
const (
	MaxLine  = 4 << 20  // bytes of one line
	MaxTrace = 64 << 20 // bytes of all lines
	MaxSteps = 100_000
)

// TableHash is the SHA-256 over the rows of transitions.Table, as "sha256:"
// and hex: traces replay to the same bytes under the same table.
func TableHash() string { return tableHash }

var tableHash = hashRows(transitions.Table)

func hashRows(rows []transitions.Row) string {
	h := sha256.New()
	for _, r := range rows {
		h.Write([]byte(string(r.From) + "\t" + string(r.On) + "\t" + string(r.To) + "\t" + strconv.FormatBool(r.Hold) + "\t" + string(r.Rule) + "\n"))
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// Header is the first line of a trace.
type Header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// Table is the TableHash of the release that recorded, Program its name.
	Table   string `json:"table"`
	Program string `json:"program,omitempty"`
	// Revision is the MCP revision of the configuration; "auto" when none is
	// pinned.
	Revision string `json:"revision"`
	// Config is the configuration, with stand-ins for its secrets.
	Config jsontext.Value `json:"config"`
	// Machine is the machine with which recording began, if it had begun before.
	Machine jsontext.Value `json:"machine,omitzero"`
}

// Recorder makes the trace of one machine. It is used by one goroutine, in the
// order of the steps. It holds the secrets that it has seen, in memory only.
type Recorder struct {
	mask   mask
	engine *fsm.Engine
	shadow fsm.Machine
	header []byte
	line   []byte
	steps  int
	bytes  int
	ended  string
	wakeAt time.Time // of the real machine
}

// usualLine is the longest line of most logins, in bytes.
const usualLine = 2048

// Options say how a trace is made. The zero value is usable.
type Options struct {
	// Program names the release that records ("stile 1.2.0").
	Program string
}

// NewRecorder begins the trace of m, the machine before the first step that is recorded.
// It returns an error if the configuration holds a secret where none belongs.
func NewRecorder(m fsm.Machine, o Options) (*Recorder, error) {
	r := &Recorder{mask: newMask(), engine: fsm.NewEngine(), line: make([]byte, 0, usualLine), wakeAt: m.Data.WakeAt}
	r.mask.careful = true
	config := r.mask.config(m.Data.Config)
	// A valid configuration stays valid, because stand-ins keep what New checks.
	r.shadow = fsm.Machine{State: states.Idle, Data: states.Data{Config: config}}
	secret, err := states.Encode(config)
	if err != nil {
		return nil, err
	}
	w := lines.Writer{B: append(r.line, '{')}
	w.Str("format", Format)
	w.Int("version", Version)
	w.Str("table", TableHash())
	w.Str("program", r.mask.keep(o.Program))
	w.Str("revision", revisionOf(config))
	w.Value("config", secret)
	if m.State != states.Idle || m.Data.Serial != 0 || m.Data.Seed != "" || m.Data.Record != nil {
		r.shadow.State = m.State
		r.shadow.Data = r.mask.data(&m.Data, r.shadow.Data.Config, r.mask.seed(m.Data.Seed))
		snapshot, err := r.shadow.Snapshot()
		if err != nil {
			return nil, err
		}
		w.Value("machine", snapshot)
	}
	r.header = bytes.Clone(append(w.B, '}', '\n'))
	if r.mask.finder.holds(r.header) {
		return nil, errWithheld
	}
	r.mask.careful = false
	r.bytes = len(r.header)
	return r, nil
}

// Header gives the first line of the trace, with its line end.
func (r *Recorder) Header() []byte { return r.header }

// Ended says why recording has ended; it is empty while recording continues.
func (r *Recorder) Ended() string { return r.ended }

// Step records one step of the real machine: at and in are what StepResult was given,
// real is what it gave back without an error. The result is the next line of
// the trace, with its line end, and holds until the next call; nil when
// recording has ended.
func (r *Recorder) Step(at time.Time, in states.Input, real fsm.Result) []byte {
	if r.ended != "" {
		return nil
	}
	from := r.shadow.State
	at = due(in, at.UTC(), r.wakeAt, r.shadow.Data.WakeAt)
	r.steps++
	var got fsm.Result
	diverged, withheld := r.shadowStep(&got, from, at, in, &real), false
	if diverged != "" || r.mask.finder.holds(r.line) {
		// Some text repeats a secret: the step is recorded once more, with a search of
		// every text.
		r.mask.careful = true
		diverged = r.shadowStep(&got, from, at, in, &real)
		r.mask.careful = false
		withheld = r.mask.finder.holds(r.line)
	}
	switch {
	case diverged != "":
		return r.end(endedDiverged, at, from, string(real.Event)+detailShadow+diverged)
	case withheld:
		return r.end(endedWithheld, at, from, detailWithheld)
	case len(r.line) > MaxLine || r.bytes+len(r.line) > MaxTrace-MaxLine || r.steps >= MaxSteps:
		return r.end(endedFull, at, from, detailFull)
	}
	r.shadow, r.wakeAt = got.Machine, real.Machine.Data.WakeAt
	r.bytes += len(r.line)
	return r.line
}

// shadowStep moves the shadow by one step and writes its line. It returns the event of
// the shadow if that differs from the event of the real machine.
func (r *Recorder) shadowStep(got *fsm.Result, from states.State, at time.Time, in states.Input, real *fsm.Result) (diverged string) {
	in = r.mask.input(from, &r.shadow.Data, in)
	var err error
	switch *got, err = r.engine.StepResult(r.shadow, at, in); {
	case err != nil, got.From != real.From:
		return detailRefused
	case got.Event != real.Event:
		return string(got.Event)
	}
	r.mask.learn(&real.Machine, &got.Machine)
	r.line = appendStep(r.line[:0], r.steps, from, at, in, got, r.mask.whole)
	return ""
}

// end writes the mark that recording ends with, and why.
func (r *Recorder) end(why string, at time.Time, from states.State, detail string) []byte {
	r.ended = why + ": " + detail
	w := lines.Writer{B: []byte{'{'}}
	w.Int("n", int64(r.steps))
	w.Time("time", at)
	w.Str("from", string(from))
	w.Str("ended", why)
	w.Str("detail", detail)
	return append(w.B, '}', '\n')
}
