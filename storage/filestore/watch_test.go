//go:build unix

package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/filestore"
)

func told(t *testing.T, what string, changed <-chan struct{}) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatalf("nothing is told of %s", what)
	}
}

// A watch tells of a lease's end, though nothing was written under it.
func TestWatchTellsOfALease(t *testing.T) {
	s := open(t, dir(t))
	put(t, s, k, "v", 0, time.Time{})
	changed, stop := s.Watch(k)
	defer stop()
	told(t, "the beginning", changed)
	l, err := s.Lease(t.Context(), k, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	told(t, "a lease", changed)
	if err := s.Release(t.Context(), k, l.Fence); err != nil {
		t.Fatal(err)
	}
	told(t, "its end", changed)
	e, err := s.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), k, e.Generation); err != nil {
		t.Fatal(err)
	}
	told(t, "the end of the entry", changed)
}

// What cannot be read is no change: a lease of a newer version, an entry that cannot be
// looked at.
func TestWatchOfTheUnreadable(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	newer, looped, plain := k, k, k
	newer.Account, looped.Account, plain.Account = "newer", "looped", "plain"
	for _, key := range []states.Key{newer, looped, plain} {
		put(t, s, key, "v", 0, time.Time{})
	}
	lease := strings.SplitN(fileOf(t, d, newer), ".", 2)[0] + ".lease"
	if err := os.WriteFile(lease, []byte(`{"version":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	entry := fileOf(t, d, looped)
	if err := os.Remove(entry); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Base(entry), entry); err != nil {
		t.Fatal(err)
	}
	first, stop := s.Watch(newer)
	defer stop()
	second, stop := s.Watch(looped)
	defer stop()
	since, stop := s.Watch(plain)
	defer stop()
	told(t, "the beginning", since)
	if _, err := s.Lease(t.Context(), plain, time.Hour); err != nil {
		t.Fatal(err)
	}
	told(t, "a lease", since) // the others were looked at before it
	if len(first) > 0 || len(second) > 0 {
		t.Errorf("told of a lease that cannot be read (%d), of an entry that cannot be looked at (%d)", len(first), len(second))
	}
}

// A listing that its caller ends leaves nothing at work.
func TestListingEnds(t *testing.T) {
	s := open(t, dir(t))
	for i := range 40 {
		own := k
		own.Account = strconv.Itoa(i)
		put(t, s, own, "v", 0, time.Time{})
	}
	enough := errors.New("enough")
	if err := s.Keys(t.Context(), func(states.Key) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	ctx, leave := context.WithCancel(t.Context())
	if err := s.Keys(ctx, func(states.Key) error { leave(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		all := make([]byte, 1<<20)
		all = all[:runtime.Stack(all, true)]
		if !bytes.Contains(all, []byte("eachEntry")) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("something is still at work:\n%s", all)
		}
	}
}

// A lease that is given ends when the time that it tells is over, not earlier and not later,
// though the call itself took some.
func TestLeaseIsCountedFromItsBeginning(t *testing.T) {
	now, step := time.Now().Truncate(time.Microsecond), time.Duration(0)
	s := open(t, dir(t), filestore.Clock(func() time.Time { now = now.Add(step); return now }))
	put(t, s, k, "v", 0, time.Time{})
	step = 10 * time.Millisecond
	l, err := s.Lease(t.Context(), k, time.Second)
	if err != nil || l.TTL >= time.Second {
		t.Fatalf("%v, %v", l.TTL, err)
	}
	step = 0
	for _, want := range []bool{true, false} {
		at := now.Add(l.TTL)
		if want {
			at = at.Add(-time.Microsecond)
		}
		was := now
		now = at
		if _, held, err := s.GetHeld(t.Context(), k); err != nil || held != want {
			t.Errorf("%v after it was given for %v: held %t, %v", now.Sub(was), l.TTL, held, err)
		}
		now = was
	}
}

// A sweep leaves what is damaged where it is.
func TestSweepLeavesDamage(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	put(t, s, k, "v", 0, time.Now().Add(-time.Hour))
	path := files(t, d, "*.entry")[0]
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if left := files(t, d, "*.entry"); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}
