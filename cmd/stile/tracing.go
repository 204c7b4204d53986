package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// tracing says where the traces of a command go, and remembers their files and what
// went wrong. The driver records them (httpdriver.Recording).
type tracing struct {
	to httpdriver.TraceTo // nil: nothing is recorded
	a  *app
	// named says that the user named the file.
	named bool

	mu      sync.Mutex
	files   []string
	trouble error
	session *httpdriver.Recording // of a machine that no driver moves
}

// tracing begins to record as --trace or STILE_TRACE say; without them, the result does
// nothing.
func (a *app) tracing(path string) (*tracing, error) {
	if path == "" {
		return a.tracingDir(path)
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() || os.IsPathSeparator(path[len(path)-1]) {
		return a.tracingDir(path)
	}
	return &tracing{to: httpdriver.TraceFile(path), a: a, named: true}, nil
}

// tracingDir is tracing into a directory, which it creates if necessary. Each run has
// a file of its own there.
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

// open is the function for a driver's options; nil when nothing is recorded.
func (t *tracing) open() httpdriver.TraceTo {
	if t == nil || t.to == nil {
		return nil
	}
	return func(account httpdriver.Account) (io.WriteCloser, error) {
		f, err := t.to(account)
		t.mu.Lock()
		defer t.mu.Unlock()
		if err != nil {
			t.trouble = err
			return nil, err
		}
		if f, ok := f.(interface{ Name() string }); ok {
			t.files = append(t.files, f.Name())
		}
		return &traceFile{f, t}, nil
	}
}

// traceFile remembers that writing failed.
type traceFile struct {
	io.WriteCloser
	t *tracing
}

func (f *traceFile) Write(b []byte) (int, error) {
	n, err := f.WriteCloser.Write(b)
	f.t.failed(err)
	return n, err
}

func (f *traceFile) Close() error {
	err := f.WriteCloser.Close()
	f.t.failed(err)
	return err
}

func (t *tracing) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.trouble == nil {
		t.trouble = err
	}
}

// step records a step of a machine that no driver moves.
func (t *tracing) step(at time.Time, from fsm.Machine, in states.Input, r fsm.Result) {
	if t.to == nil {
		return
	}
	if from.State == states.Idle || t.session == nil {
		_ = t.session.Close() // traceFile remembers what failed
		var err error
		t.session, err = httpdriver.NewRecording(from, func() (io.WriteCloser, error) { return t.open()(httpdriver.Account{}) })
		t.failed(err)
	}
	_ = t.session.Step(at, from.State, in, &r)
}

// close ends recording and says where the traces are.
func (t *tracing) close() error {
	if t.to == nil {
		return nil
	}
	_ = t.session.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.a.json {
		for _, f := range t.files {
			t.a.note("trace: %s\n", f)
		}
	}
	if t.named && len(t.files) == 0 && t.trouble == nil {
		t.a.notice("No trace was written: nothing had to be decided about a login.")
	}
	if t.trouble != nil {
		return fmt.Errorf("the trace: %w", t.trouble)
	}
	return nil
}
