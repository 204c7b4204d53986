//go:build linux || darwin

package filestore_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const aloneEnv = "STILE_TEST_FILESTORE_ALONE"

// alone runs a test in a process of its own, because the limits of the system hold for a
// whole process. It reports whether this is that process.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(aloneEnv) != "" {
		return true
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), aloneEnv+"=1")
	if out, err := c.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// limited sets a limit of the system, and gives the function that undoes that.
func limited(t *testing.T, resource int, to uint64) (lift func()) {
	t.Helper()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(resource, &was); err != nil {
		t.Fatal(err)
	}
	now := was
	now.Cur = to
	if err := syscall.Setrlimit(resource, &now); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(resource, &was); err != nil {
			t.Fatal(err)
		}
	}
}

// What does not fit on the disk is not written: the entry stays as it was, nobody gets a
// lease, and nothing half written is left.
func TestFullDisk(t *testing.T) {
	if !alone(t) {
		return
	}
	d := dir(t)
	s := open(t, d)
	g := put(t, s, k, "one", 0, time.Time{})
	signal.Ignore(syscall.SIGXFSZ)
	lift := limited(t, syscall.RLIMIT_FSIZE, 64<<10)
	_, putErr := s.Put(t.Context(), k, make([]byte, 100<<10), g, time.Time{})
	lift()
	lift = limited(t, syscall.RLIMIT_FSIZE, 10)
	_, leaseErr := s.Lease(t.Context(), k, time.Minute)
	lift()
	if !errors.Is(putErr, syscall.EFBIG) || !errors.Is(leaseErr, syscall.EFBIG) {
		t.Errorf("Put: %v; Lease: %v", putErr, leaseErr)
	}
	if e, held, err := s.GetHeld(t.Context(), k); err != nil || string(e.Value) != "one" || e.Generation != g || held {
		t.Errorf("afterwards: %q of generation %d, held %t, %v", e.Value, e.Generation, held, err)
	}
	if left := files(t, d, "tmp-*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A process that can open no file more takes no entry for missing.
func TestNoFileCanBeOpened(t *testing.T) {
	if !alone(t) {
		return
	}
	d := dir(t)
	s := open(t, d)
	g := put(t, s, k, "v", 0, time.Time{})
	last, err := os.Open(filepath.Join(d, "format"))
	if err != nil {
		t.Fatal(err)
	}
	next := last.Fd()
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	got := map[string]error{}
	lift := limited(t, syscall.RLIMIT_NOFILE, uint64(next))
	for _, name := range []string{"Get", "GetHeld", "Put", "Delete", "Discard", "Lease", "Keys", "List", "Entries", "Sweep"} {
		got[name] = calls[name](t.Context(), s, g, 1)
	}
	lift()
	for name, err := range got {
		if !errors.Is(err, syscall.EMFILE) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "v" || e.Generation != g {
		t.Errorf("afterwards: %+v, %v", e, err)
	}
}
