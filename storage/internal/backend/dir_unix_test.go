//go:build unix

package backend_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/storage/internal/backend"
)

// private gives a directory that only we can enter, below such directories.
func private(t *testing.T) string {
	t.Helper()
	d := t.TempDir()
	for p := d; p != os.TempDir() && p != filepath.Dir(p); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o700); err != nil {
			break
		}
	}
	return d
}

// A directory must be ours alone: each permission for anybody else is refused, and so
// is anything that is not a directory. Above it, nobody else may have write permission.
func TestDirectories(t *testing.T) {
	d := filepath.Join(private(t), "store")
	if err := backend.CheckDir(d); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	if err := backend.CheckParents(d); err != nil {
		t.Errorf("one that is about to be made: %v", err)
	}
	if err := backend.CheckParents(filepath.Join(d, "none", "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("below nothing: %v", err)
	}
	if err := os.WriteFile(d, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := backend.CheckDir(d); err == nil || !strings.Contains(err.Error(), "is not a directory") {
		t.Errorf("a file: %v", err)
	}
	if err := os.Remove(d); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(d, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(private(t), "link")
	if err := os.Symlink(d, link); err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(d, "in")
	if err := os.Mkdir(in, 0o700); err != nil {
		t.Fatal(err)
	}
	for mode := range fs.FileMode(0o100) { // of the group and of all others
		if err := os.Chmod(d, 0o700|mode); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{d, link} {
			if err := backend.CheckDir(path); (err == nil) != (mode == 0) || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("(mode %04o)", 0o700|mode)) {
				t.Errorf("mode %04o: %v", 0o700|mode, err)
			}
		}
		for _, path := range []string{in, filepath.Join(d, "later"), filepath.Join(link, "later")} {
			if err := backend.CheckParents(path); (err == nil) != (mode&0o022 == 0) {
				t.Errorf("below mode %04o: %v", 0o700|mode, err)
			}
		}
	}
	if err := os.Chmod(d, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if err := backend.CheckParents(in); err != nil {
		t.Errorf("below a sticky directory: %v", err)
	}
}
