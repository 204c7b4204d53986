package httpdriver

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/httpdriver/version"
	"github.com/stile-oauth/stile/states"
)

// TraceTo opens the place where the trace of a run goes. A trace holds no secret (package
// trace) and can be attached to a bug report.
type TraceTo func(a Account) (io.WriteCloser, error)

// Bounds of a TraceDir. They are checked with the first trace of a process and then with
// every 64th, so each process may exceed them by as many.
const (
	maxTraceFiles = 1000
	maxTraceBytes = 1 << 30
	tidyTraces    = 64
)

// TraceDir writes each run to a file of its own in dir, which it creates if necessary.
// It keeps about 1,000 traces and 1 GiB, and removes the oldest first. Other files stay.
func TraceDir(dir string) TraceTo {
	var n atomic.Uint64
	return func(Account) (io.WriteCloser, error) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		i := n.Add(1)
		if i%tidyTraces == 1 {
			dropTraces(dir)
		}
		name := fmt.Sprintf("stile-%s-%d-%d.ndjson", time.Now().UTC().Format(traceTime), os.Getpid(), i)
		return os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
}

// traceTime is the beginning of the names of traces, so that they sort by age.
const traceTime = "20060102T150405.000000"

// dropTraces removes the oldest traces beyond the bounds. A trace that cannot be removed
// stays, because a trace is no reason to fail.
func dropTraces(dir string) {
	names, _ := filepath.Glob(filepath.Join(dir, "stile-*.ndjson"))
	slices.Sort(names)
	var kept int
	var size int64
	for _, name := range slices.Backward(names) {
		info, err := os.Lstat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if kept, size = kept+1, size+info.Size(); kept >= maxTraceFiles || size > maxTraceBytes {
			_ = os.Remove(name)
		}
	}
}

// TraceFile writes the first run to path, the second beside it with -2 before the
// extension, and so on. It overwrites existing files.
func TraceFile(path string) TraceTo {
	var n atomic.Uint64
	return func(Account) (io.WriteCloser, error) {
		name := path
		if i := n.Add(1); i > 1 {
			ext := filepath.Ext(path)
			name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(path, ext), i, ext)
		}
		return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	}
}

// Recording writes the trace of one run. A run that only looks at the store and
// finds nothing to do leaves no file.
type Recording struct {
	rec  *trace.Recorder
	open func() (io.WriteCloser, error)
	to   io.WriteCloser
	// early are the lines that were recorded before there was a place for them.
	early []byte
	ended bool
}

// NewRecording begins the trace of a machine; m is the machine before the first step. It
// calls open when there is something worth a file.
func NewRecording(m fsm.Machine, open func() (io.WriteCloser, error)) (*Recording, error) {
	rec, err := trace.NewRecorder(m, trace.Options{Program: version.Get().String()})
	if err != nil {
		return nil, err
	}
	return &Recording{rec: rec, open: open, early: append([]byte(nil), rec.Header()...)}, nil
}

// Step adds a step of the machine, as Engine.Step took it. After an error
// nothing more is written.
func (t *Recording) Step(at time.Time, from states.State, in states.Input, res *fsm.Result) error {
	if t == nil || t.ended {
		return nil
	}
	line := t.rec.Step(at, in, *res)
	if t.to == nil {
		t.early = append(t.early, line...)
		if from == states.Idle || from == states.Loading && states.Resting(res.Machine.State) && res.Machine.State != states.Failed {
			return nil
		}
		to, err := t.open()
		if err != nil {
			t.ended, t.early = true, nil
			return fmt.Errorf("no trace is written: %w", err)
		}
		t.to, line, t.early = to, t.early, nil
	}
	if err := contain("the writer of Options.Trace", func() error { _, err := t.to.Write(line); return err }); err != nil {
		t.ended = true
		return fmt.Errorf("the trace is cut off: %w", err)
	}
	return nil
}

// Close ends the trace.
func (t *Recording) Close() error {
	if t == nil || t.to == nil {
		return nil
	}
	to := t.to
	t.to, t.ended = nil, true
	return contain("the writer of Options.Trace", to.Close)
}

// record begins the trace of a run, if traces are wanted, or continues the trace of the
// run that this one continues.
func (r *run) record() {
	if r.s.d.o.Trace == nil {
		return
	}
	if r.from != nil && r.from.trace != nil && !r.from.trace.ended {
		r.trace = r.from.trace
		return
	}
	t, err := NewRecording(r.m, func() (to io.WriteCloser, err error) {
		err = contain("Options.Trace", func() (err error) { to, err = r.s.d.o.Trace(r.s.account); return err })
		return to, err
	})
	if err != nil {
		r.s.d.log.Warn("no trace is made", "err", err)
		return
	}
	r.trace = t
}

// traced adds a step to the trace of the run.
func (r *run) traced(at time.Time, from states.State, in states.Input, res *fsm.Result) {
	if err := r.trace.Step(at, from, in, res); err != nil {
		r.s.d.log.Warn(err.Error())
	}
}
