package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
	path string // a file, or a directory that ends in a separator
	a    *app

	mu      sync.Mutex
	rec     *trace.Recorder
	kept    []byte // lines that have no file yet
	file    *os.File
	files   []string
	dull    []byte // the first run that was not worth a file
	trouble error
}

// tracing begins recording as --trace or STILE_TRACE say; without them what it
// gives does nothing.
func (a *app) tracing(path string) (*tracing, error) {
	if path == "" {
		if path = a.getenv("STILE_TRACE"); path == "" {
			return &tracing{}, nil
		}
		path = strings.TrimSuffix(path, "/") + "/"
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() && !strings.HasSuffix(path, "/") {
		path += "/"
	}
	if strings.HasSuffix(path, "/") {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, usage("--trace: %w", err)
		}
	}
	return &tracing{path: path, a: a}, nil
}

// step records one step of the driver.
func (t *tracing) step(s httpdriver.Step) {
	if t == nil || t.path == "" {
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
	f, name, err := t.create()
	if err != nil {
		t.trouble = err
		return
	}
	t.file, t.files = f, append(t.files, name)
	kept := t.kept
	t.kept = nil
	t.write(kept)
}

// create makes the next file: of its own name in a directory, where other
// processes record too.
func (t *tracing) create() (*os.File, string, error) {
	n := len(t.files) + 1
	if !strings.HasSuffix(t.path, "/") {
		name := t.path
		if n > 1 {
			name = fmt.Sprintf("%s.%d", t.path, n)
		}
		f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		return f, name, err
	}
	for ; ; n++ {
		name := filepath.Join(t.path, fmt.Sprintf("%d-%02d.ndjson", os.Getpid(), n))
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, name, err
		}
	}
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
	if t.path == "" {
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
