//go:build unix

package filestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
)

// A process was killed while it wrote the format: the next opening removes what it
// left, once it is certain that nobody is about to rename it.
func TestLeftBesideTheFormat(t *testing.T) {
	d := dir(t)
	open(t, d)
	old, fresh := filepath.Join(d, "tmp-old"), filepath.Join(d, "tmp-fresh")
	for _, path := range []string{old, fresh} {
		if err := os.WriteFile(path, []byte("stile"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * time.Minute)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	open(t, d)
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was left two minutes ago: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("what somebody may be writing: %v", err)
	}
}

func TestBegun(t *testing.T) {
	d := dir(t)
	if filestore.Begun(d) {
		t.Error("an empty directory counts as begun")
	}
	if filestore.Begun(filepath.Join(d, "missing")) {
		t.Error("a missing directory counts as begun")
	}
	if s := open(t, d); !filestore.Begun(d) || s.Dir() != d {
		t.Errorf("the store of %s in %s is not begun", s.Dir(), d)
	}
	file := filepath.Join(d, "format")
	if !filestore.Begun(file) {
		t.Error("what cannot be looked into does not count as begun")
	}
}

// A write cleans its shard, once an hour and when the clock was put back.
func TestWriterSweeps(t *testing.T) {
	d := dir(t)
	clock := newClock()
	s := open(t, d, filestore.Clock(clock.now))
	n := neighbour()
	g := put(t, s, k, "1", 0, time.Time{}) // sweeps, and finds nothing
	for _, c := range []struct {
		step  time.Duration
		swept bool
	}{
		{59 * time.Minute, false},
		{time.Minute, true},
		{30 * time.Minute, false},
		{-31 * time.Minute, true},
	} {
		put(t, s, n, "short", 0, clock.now().Add(time.Second))
		clock.advance(c.step)
		// An expired entry is gone for every reader; only its file shows whether it was swept.
		if c.step < 0 {
			old := fileOf(t, d, n)
			if err := os.Rename(old, filepath.Join(filepath.Dir(old), "tmp-left")); err != nil {
				t.Fatal(err)
			}
		}
		g = put(t, s, k, "2", g, time.Time{})
		swept := len(files(t, d, "*.entry")) == 1 && len(files(t, d, "tmp-left")) == 0
		if swept != c.swept {
			t.Errorf("%v later: swept %t, want %t", c.step, swept, c.swept)
		}
	}
}

// A reader that asks whether somebody holds the lease gets an answer that is exact to
// the microsecond.
func TestHeldToItsEnd(t *testing.T) {
	d := dir(t)
	clock := newClock()
	s := open(t, d, filestore.Clock(clock.now))
	put(t, s, k, "v", 0, time.Time{})
	held := func(want bool, when string) {
		t.Helper()
		if _, held, err := s.GetHeld(t.Context(), k); err != nil || held != want {
			t.Errorf("%s: held %t, %v", when, held, err)
		}
	}
	held(false, "before")
	l, err := s.Lease(t.Context(), k, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Minute - time.Microsecond)
	held(true, "a microsecond before its end")
	clock.advance(time.Microsecond)
	held(false, "at its end")
	clock.advance(-2 * time.Hour)
	held(true, "when the clock was put back")
	if err := s.Release(t.Context(), k, l.Fence); err != nil {
		t.Fatal(err)
	}
	held(false, "after its release, on a clock that was put back")
	if _, err := s.Lease(t.Context(), k, 0); !errors.Is(err, storage.ErrLease) {
		t.Errorf("a lease for no time: %v", err)
	}
	if err := os.WriteFile(one(t, d, "*/*.lease"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	held(false, "when its record is damaged")
	if _, err := s.Lease(t.Context(), k, time.Minute); err != nil {
		t.Errorf("over a damaged record: %v", err)
	}
}

// An expired entry stays if its number cannot be recorded.
func TestSweepKeepsNumbers(t *testing.T) {
	d := dir(t)
	clock := newClock()
	s := open(t, d, filestore.Clock(clock.now))
	put(t, s, k, "v", 0, clock.now().Add(time.Second))
	if _, err := s.Lease(t.Context(), k, time.Second); err != nil {
		t.Fatal(err)
	}
	clock.advance(24*time.Hour + time.Second)
	mark := filepath.Join(filepath.Dir(one(t, d, "*/*.entry")), "mark")
	if err := os.WriteFile(mark, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err == nil {
		t.Error("nothing is said of a mark that cannot be read")
	}
	one(t, d, "*/*.entry")
	one(t, d, "*/*.lease")
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := files(t, d, "*.entry"); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	one(t, d, "*/*.lease") // it ended exactly a day ago
	clock.advance(time.Microsecond)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := files(t, d, "*.lease"); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
