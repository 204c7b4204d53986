package httpdriver_test

import (
	"fmt"
	"os"
	"path/filepath"
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
}
