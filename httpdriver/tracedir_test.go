package httpdriver_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// A directory of traces does not grow for ever: the oldest go, and what is no
// trace stays.
func TestTraceDirIsBounded(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, size int64) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gone := func(path string) bool { _, err := os.Stat(path); return os.IsNotExist(err) }
	other := write("notes.txt", 1)
	var old []string
	for i := range 1200 {
		old = append(old, write(fmt.Sprintf("stile-20250101T000000.%06d-1-1.ndjson", i), 1))
	}
	open := func() {
		t.Helper()
		f, err := httpdriver.TraceDir(dir)(httpdriver.Account{})
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	open()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1000+1 { // and the notes
		t.Errorf("%d files are left, %v", len(left), err)
	}
	if gone(other) || !gone(old[0]) || !gone(old[200]) || gone(old[1199]) {
		t.Error("not the oldest traces went")
	}
	// The size is bounded too (the files have no blocks).
	large := write("stile-20250102T000000.000000-1-1.ndjson", 2<<30)
	open()
	if !gone(large) || !gone(old[1199]) {
		t.Error("traces of more than 1 GiB are kept")
	}
	older, most := write("stile-20250103T000000.000000-1-1.ndjson", 1), write("stile-20250104T000000.000000-1-1.ndjson", 1<<30)
	open()
	if gone(most) || !gone(older) {
		t.Error("traces of 1 GiB are not kept, or one more")
	}
}

// What is written to a directory or a file of traces is there, for its owner alone.
func TestTracesAreTheirOwners(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "traces", "of", "today")
	file := filepath.Join(t.TempDir(), "run.ndjson")
	for _, to := range []httpdriver.TraceTo{httpdriver.TraceDir(dir), httpdriver.TraceFile(file)} {
		f, err := to(httpdriver.Account{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("a line\n")); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	names, err := filepath.Glob(filepath.Join(dir, "stile-*.ndjson"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%q %v", names, err)
	}
	for name, mode := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, filepath.Dir(dir): 0o700 | os.ModeDir, names[0]: 0o600, file: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode && runtime.GOOS != "windows" {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	for _, name := range []string{names[0], file} {
		if b, err := os.ReadFile(name); err != nil || string(b) != "a line\n" {
			t.Errorf("%s: %q %v", name, b, err)
		}
	}
}

// A run that fails as it reads the store has a trace, and that of a login is there before
// anything is sent: a program that hangs or dies there can be understood.
func TestTracesBegin(t *testing.T) {
	var opened atomic.Int32
	trace := func(o *httpdriver.Options) {
		o.Trace = func(httpdriver.Account) (io.WriteCloser, error) {
			opened.Add(1)
			return &writer{after: 1 << 20}, nil
		}
	}
	w := newWorld(t, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if opened.Load() != 1 {
					t.Errorf("%s: %d traces", r.URL.Path, opened.Load())
				}
				h.ServeHTTP(rw, r)
			})
		}
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/.well-known/") && opened.Load() != 1 {
					t.Errorf("%s: %d traces", r.URL.Path, opened.Load())
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
	if err := w.driver(t, trace).Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	opened.Store(0)
	d := w.driver(t, trace, func(o *httpdriver.Options) {
		o.Store = brokenStore{w.Store, func() error { return errors.New("connection refused") }}
	})
	if _, err := d.Token(t.Context(), w.account()); err == nil || opened.Load() != 1 {
		t.Errorf("%v, %d traces", err, opened.Load())
	}
}

// A configuration whose secret is a word of the trace itself is not recorded, and the login
// goes on.
func TestNoTraceOfASecret(t *testing.T) {
	var b lines
	d, err := httpdriver.New(httpdriver.Options{
		Send: (&library{}).send, Host: httpdriver.Web(webCallback), Logger: slog.New(slog.NewJSONHandler(&b, nil)),
		Policy: httpdriver.Policy{Client: &states.Configured{Issuer: libraryIssuer, ID: "app", Secret: wire.Secret(trace.TableHash())}},
		Trace: func(httpdriver.Account) (io.WriteCloser, error) {
			t.Error("a trace is written")
			return &writer{after: 1 << 20}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-reads(t, d, reader("one")); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	told := 0
	for _, line := range b.all(t) {
		if line["msg"] == "no trace is made" {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the log:\n%s", b.String())
	}
}
