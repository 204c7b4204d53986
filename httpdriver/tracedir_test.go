package httpdriver_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
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
