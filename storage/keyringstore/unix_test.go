//go:build linux || darwin

package keyringstore_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/sealed"
)

// A key file is refused if anybody but its owner may do anything with it.
func TestModesOfKeyFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my.key")
	key := sealed.NewKey()
	if err := keyringstore.WriteKeyFile(path, key); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o601, 0o602, 0o604, 0o610, 0o620, 0o640} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := keyringstore.ReadKeyFile(path)
		says(t, mode.String(), err, "open to others")
	}
	for _, mode := range []fs.FileMode{0o400, 0o700} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if again, err := keyringstore.ReadKeyFile(path); err != nil || again != key {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

// A key that does not fit on the disk is not kept, and nothing of it is left. The test runs
// in a process of its own, because the limit on the size of files holds for all of it.
func TestKeyFileOnAFullDisk(t *testing.T) {
	const alone = "STILE_TEST_KEYRINGSTORE_FULL"
	if os.Getenv(alone) == "" {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		c.Env = append(os.Environ(), alone+"=1")
		if out, err := c.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	d := t.TempDir()
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	err := keyringstore.WriteKeyFile(filepath.Join(d, "my.key"), sealed.NewKey())
	if e := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); e != nil {
		t.Fatal(e)
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("WriteKeyFile: %v", err)
	}
	if left, err := os.ReadDir(d); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
