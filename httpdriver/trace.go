package httpdriver

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/states"
)

// TraceTo opens the place where the trace of a run goes. A trace holds nothing
// that opens anything (package trace) and can be attached to a bug report.
type TraceTo func(a Account) (io.WriteCloser, error)

// TraceDir writes each run to a file of its own in dir, which is made if it is
// missing.
func TraceDir(dir string) TraceTo {
	var n atomic.Uint64
	return func(Account) (io.WriteCloser, error) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		name := fmt.Sprintf("stile-%s-%d-%d.ndjson", time.Now().UTC().Format("20060102T150405.000000"), os.Getpid(), n.Add(1))
		return os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
}

// TraceFile writes the first run to path, the second beside it with -2 before
// the extension, and so on. What is there is written over.
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

// recording is the trace of one run. A run that only looks at the store and
// finds nothing to do leaves no file.
type recording struct {
	r     *run
	rec   *trace.Recorder
	to    io.WriteCloser
	early []byte
	dead  bool
}

// record begins the trace of a run, if traces are wanted.
func (r *run) record(e *fsm.Engine) {
	if r.s.d.o.Trace == nil {
		return
	}
	rec, err := trace.NewRecorder(r.m, trace.Options{Program: "stile", Engine: e})
	if err != nil {
		r.s.d.log.Warn("no trace is made", "err", err)
		return
	}
	r.trace = &recording{r: r, rec: rec, early: append([]byte(nil), rec.Header()...)}
}

// step adds one step.
func (t *recording) step(at time.Time, from states.State, in states.Input, res *fsm.Result) {
	if t == nil || t.dead {
		return
	}
	line := t.rec.Step(at, in, *res)
	if t.to == nil {
		t.early = append(t.early, line...)
		if from == states.Idle || from == states.Loading && states.Resting(res.Machine.State) && res.Machine.State != states.Failed {
			return
		}
		to, err := t.r.s.d.o.Trace(t.r.s.account)
		if err != nil {
			t.dead = true
			t.r.s.d.log.Warn("no trace is written", "err", err)
			return
		}
		t.to, line, t.early = to, t.early, nil
	}
	if _, err := t.to.Write(line); err != nil {
		t.dead = true
		t.r.s.d.log.Warn("the trace is cut off", "err", err)
	}
}

func (t *recording) close() {
	if t != nil && t.to != nil {
		_ = t.to.Close()
	}
}
