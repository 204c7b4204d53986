package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// maxKept bounds what is kept in memory of a run that may not be worth a file.
const maxKept = 1 << 20

// tracing records the runs of the machine in a command: each run is a trace of
// its own (package trace). A run that only reads the store is worth a file only
// when there is no other: what a bug report needs is the login.
type tracing struct {
	to httpdriver.TraceTo // nil: nothing is recorded
	a  *app

	mu      sync.Mutex
	rec     *trace.Recorder
	kept    []byte // lines that have no file yet
	file    io.WriteCloser
	files   []string
	dull    []byte // the first run that was not worth a file
	trouble error
}

// tracing begins recording as --trace or STILE_TRACE say; without them what it
// gives does nothing.
func (a *app) tracing(path string) (*tracing, error) {
	if path == "" {
		return a.tracingDir(path)
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() || os.IsPathSeparator(path[len(path)-1]) {
		return a.tracingDir(path)
	}
	return &tracing{to: httpdriver.TraceFile(path), a: a}, nil
}

// tracingDir is tracing into a directory, which is made if it is missing: each
// run has a file of its own there.
func (a *app) tracingDir(dir string) (*tracing, error) {
	if dir == "" {
		if dir = a.getenv("STILE_TRACE"); dir == "" {
			return &tracing{}, nil
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, usage("--trace: %w", err)
	}
	return &tracing{to: httpdriver.TraceDir(dir), a: a}, nil
}

// step records one step of the driver.
func (t *tracing) step(s httpdriver.Step) {
	if t == nil || t.to == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.From.State == states.Idle || t.rec == nil {
		t.end()
		rec, err := trace.NewRecorder(s.From, trace.Options{Program: "stile"})
		if err != nil {
			t.trouble = err
			return
		}
		t.rec = rec
		t.write(rec.Header())
	}
	t.write(t.rec.Step(s.At, s.Input, s.Result))
	for _, e := range s.Result.Effects {
		switch e.(type) {
		case states.Send, states.Visit, states.Report:
			t.open()
		}
	}
}

func (t *tracing) write(line []byte) {
	if t.file == nil {
		if len(t.kept)+len(line) <= maxKept {
			t.kept = append(t.kept, line...)
		}
		return
	}
	if _, err := t.file.Write(line); err != nil && t.trouble == nil {
		t.trouble = err
	}
}

// open gives the run a file, and writes what was kept so far.
func (t *tracing) open() {
	if t.file != nil || t.trouble != nil {
		return
	}
	f, err := t.to(httpdriver.Account{})
	if err != nil {
		t.trouble = err
		return
	}
	t.file = f
	if f, ok := f.(interface{ Name() string }); ok {
		t.files = append(t.files, f.Name())
	}
	kept := t.kept
	t.kept = nil
	t.write(kept)
}

// end closes the trace of the run that is over.
func (t *tracing) end() {
	if t.file != nil {
		if err := t.file.Close(); err != nil && t.trouble == nil {
			t.trouble = err
		}
		t.file = nil
	} else if t.dull == nil {
		t.dull = t.kept
	}
	t.rec, t.kept = nil, nil
}

// close ends recording and says where the traces are.
func (t *tracing) close() error {
	if t.to == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
	if len(t.files) == 0 && len(t.dull) > 0 && t.trouble == nil {
		t.kept = t.dull
		t.open()
		t.end()
	}
	if !t.a.json {
		for _, f := range t.files {
			t.a.note("trace: %s\n", f)
		}
	}
	if t.trouble != nil {
		return fmt.Errorf("the trace: %w", t.trouble)
	}
	return nil
}
