package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/internal/backend"
	"github.com/stile-oauth/stile/storage/storetest"
)

// dir gives a directory that is ours alone, whatever the umask is.
func dir(t *testing.T) string {
	t.Helper()
	d := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(d, 0o700); err != nil {
		t.Fatal(err)
	}
	// The testing package made the directory above, under the umask.
	for p := filepath.Dir(d); p != os.TempDir() && p != filepath.Dir(p); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o700); err != nil {
			break
		}
	}
	return d
}

func open(t *testing.T, d string, opts ...filestore.Option) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(d, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storage.Store { return open(t, dir(t)) },
		storetest.Pair(func(t *testing.T) (storage.Store, storage.Store) {
			d := dir(t)
			return open(t, d), open(t, d)
		}),
		storetest.Broken(func(t *testing.T) storage.Store {
			d := dir(t)
			s := open(t, d)
			if err := os.RemoveAll(d); err != nil {
				t.Fatal(err)
			}
			return s
		}))
}

type clock struct{ us atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.us.Store(time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.us.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.us.Add(d.Microseconds()) }

func TestContractOnItsOwnClock(t *testing.T) {
	c := newClock()
	storetest.Run(t, func(t *testing.T) storage.Store { return open(t, dir(t), filestore.Clock(c.now)) },
		storetest.Clock(c.now, c.advance))
}

var k = states.Key{Kind: states.KindCredential, Tenant: "acme", Subject: "alice", Name: "https://mcp.example/"}

func put(t *testing.T, s storage.Store, k states.Key, v string, g states.Generation, expires time.Time) states.Generation {
	t.Helper()
	g, err := s.Put(t.Context(), k, []byte(v), g, expires)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// files gives the paths of all files below d that match the pattern.
func files(t *testing.T, d, pattern string) []string {
	t.Helper()
	var got []string
	err := filepath.WalkDir(d, func(p string, e os.DirEntry, err error) error {
		if ok, _ := filepath.Match(pattern, e.Name()); ok && err == nil && !e.IsDir() {
			got = append(got, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// one finds the only file that matches a pattern.
func one(t *testing.T, d, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(d, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: %v, %v", pattern, d, found, err)
	}
	return found[0]
}

// A generation does not come back when the clock is put back, when entries and
// leases are swept, or when the entry's file is removed by hand.
func TestNumbersNeverRepeat(t *testing.T) {
	c, d := newClock(), dir(t)
	s := open(t, d, filestore.Clock(c.now))
	var last states.Generation
	next := func(what string, expires time.Time) {
		t.Helper()
		g := put(t, s, k, "v", 0, expires)
		if g <= last {
			t.Fatalf("%s: generation %d after %d", what, g, last)
		}
		last = g
	}
	next("first", time.Time{})
	if err := s.Delete(t.Context(), k, last); err != nil {
		t.Fatal(err)
	}
	c.advance(-24 * time.Hour)
	next("after a delete and the clock put back", c.now().Add(time.Second))
	c.advance(time.Minute)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := files(t, d, "*.entry"); len(left) != 0 {
		t.Fatalf("after the sweep: %v", left)
	}
	next("after expiry and a sweep", time.Time{})
	c.advance(48 * time.Hour)
	for _, f := range files(t, d, "*.entry") {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	next("after a removal by hand", time.Time{})

	l, err := s.Lease(t.Context(), k, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c.advance(48 * time.Hour)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := files(t, d, "*.lease"); len(left) != 0 {
		t.Fatalf("after the sweep: %v", left)
	}
	c.advance(-72 * time.Hour)
	again, err := s.Lease(t.Context(), k, time.Second)
	if err != nil || again.Fence <= l.Fence {
		t.Fatalf("fence %d after %d, %v", again.Fence, l.Fence, err)
	}
}

// A lease outlives a clock that is put back by no more than its own length, and
// is never given to a second holder early.
func TestLeaseWhenTheClockIsPutBack(t *testing.T) {
	c := newClock()
	s := open(t, dir(t), filestore.Clock(c.now))
	l, err := s.Lease(t.Context(), k, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c.advance(-10 * time.Hour)
	for _, wait := range []time.Duration{0, 59 * time.Second} {
		c.advance(wait)
		if _, err := s.Lease(t.Context(), k, time.Minute); !errors.Is(err, storage.ErrHeld) {
			t.Fatalf("Lease %v after the clock was put back: %v, want held", wait, err)
		}
	}
	c.advance(2 * time.Second)
	if next, err := s.Lease(t.Context(), k, time.Minute); err != nil || next.Fence <= l.Fence {
		t.Fatalf("Lease after its length: %+v, %v", next, err)
	}
}

// fileOf finds the file of an entry.
func fileOf(t *testing.T, d string, k states.Key) string {
	t.Helper()
	found := files(t, d, backend.KeyID(k)+"*.entry")
	if len(found) != 1 {
		t.Fatalf("the entry %q is in the files %v", k, found)
	}
	return found[0]
}

// Damage is reported with the name of the entry, and destroys nothing.
func TestDamage(t *testing.T) {
	other := k
	other.Account = "other"
	for _, c := range []struct {
		name   string
		damage func(b []byte, other []byte) []byte
		want   string
	}{
		{"one bit", func(b, _ []byte) []byte { b[len(b)-1] ^= 1; return b }, "damaged"},
		{"cut off", func(b, _ []byte) []byte { return b[:len(b)-2] }, "damaged"},
		{"empty", func([]byte, []byte) []byte { return nil }, "damaged"},
		{"generation", func(b, _ []byte) []byte {
			return bytes.Replace(b, []byte(`"generation":1`), []byte(`"generation":2`), 1)
		}, "damaged"},
		{"another's", func(_, o []byte) []byte { return o }, "another entry"},
		{"newer", func(b, _ []byte) []byte { return bytes.Replace(b, []byte("entry-1"), []byte("entry-2"), 1) }, "does not know"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := dir(t)
			s := open(t, d)
			put(t, s, other, "theirs", 0, time.Time{})
			theirs, err := os.ReadFile(fileOf(t, d, other))
			if err != nil {
				t.Fatal(err)
			}
			g := put(t, s, k, "mine", 0, time.Time{})
			path := fileOf(t, d, k)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b = c.damage(b, theirs)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			_, getErr := s.Get(t.Context(), k)
			_, putErr := s.Put(t.Context(), k, []byte("x"), g, time.Time{})
			_, newErr := s.Put(t.Context(), k, []byte("x"), 0, time.Time{})
			for _, err := range []error{getErr, putErr, newErr, s.Delete(t.Context(), k, g)} {
				u := (*storage.UnreadableError)(nil)
				if !errors.As(err, &u) || u.Key != k || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), k.String()) {
					t.Errorf("error %v, want one that names the entry and says %q", err, c.want)
				}
			}
			if _, err := s.List(t.Context(), k.Tenant, k.Subject); err == nil {
				t.Error("List says nothing of it")
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, b) {
				t.Error("the damaged file was changed")
			}
			if err := s.Discard(t.Context(), other); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("Discard of a sound entry: %v", err)
			}
			if err := s.Discard(t.Context(), k); err != nil {
				t.Fatal(err)
			}
			if again := put(t, s, k, "new", 0, time.Time{}); again <= g {
				t.Errorf("generation %d after %d", again, g)
			}
		})
	}
}

// A process that hangs inside an update delays others for a bounded time, and a
// context ends the wait sooner. Neither is taken for an answer.
func TestAnotherProcessHoldsTheLock(t *testing.T) {
	d := dir(t)
	s := open(t, d, filestore.LockWait(50*time.Millisecond))
	g := put(t, s, k, "v", 0, time.Time{})
	lock := flock.New(filepath.Join(d, backend.KeyID(k)[:2], "lock"))
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Put(t.Context(), k, []byte("x"), g, time.Time{})
	if storage.IsAnswer(err) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("Put while another process is at it: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := open(t, d).Lease(ctx, k, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lease with a deadline: %v", err)
	}
	if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "v" {
		t.Errorf("reading waits for nobody: %q, %v", e.Value, err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	put(t, s, k, "w", g, time.Time{})
}
