//go:build unix

package filestore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// A lease for less than a microsecond is one for a microsecond.
func TestShortestLease(t *testing.T) {
	clock := newClock()
	s := open(t, dir(t), filestore.Clock(clock.now))
	put(t, s, k, "v", 0, time.Time{})
	if _, err := s.Lease(t.Context(), k, time.Nanosecond); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if _, held, err := s.GetHeld(t.Context(), k); err != nil || held != want {
			t.Errorf("held %t, want %t, %v", held, want, err)
		}
		clock.advance(time.Microsecond)
	}
}

// A shard that may be gone after a power failure takes no entry.
func TestShardThatIsNotSynced(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	undo := filestore.SyncBy(func(path string) error {
		if path == d {
			return syscall.EIO
		}
		return nil
	})
	_, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
	undo()
	if !errors.Is(err, syscall.EIO) {
		t.Errorf("Put: %v", err)
	}
	if left := files(t, d, "*.entry"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A sweep that cannot clean one shard says so, whatever becomes of the others.
func TestSweepOfABrokenShard(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	first, second := k, k
	for backend.KeyID(first)[:2] >= backend.KeyID(second)[:2] {
		second.Account += "n"
	}
	put(t, s, first, "v", 0, time.Time{})
	put(t, s, second, "v", 0, time.Time{})
	replaced(t, filepath.Join(d, backend.KeyID(first)[:2], "lock"), full)
	if err := s.Sweep(t.Context()); err == nil {
		t.Error("nothing is said of a lock that is a directory")
	}
}

// A store is swept while somebody holds it, and not after that.
func TestSweepEndsWithItsStore(t *testing.T) {
	d := dir(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, d, filestore.Background(time.Minute))
		put(t, s, k, "v", 0, time.Now().Add(time.Second))
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if left := files(t, d, "*.entry"); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		put(t, s, k, "v", 0, time.Now().Add(time.Second))
		runtime.KeepAlive(s) // the last use
		runtime.GC()
		runtime.GC()
		time.Sleep(time.Hour)
		synctest.Wait()
		if left := files(t, d, "*.entry"); len(left) != 1 {
			t.Errorf("swept for nobody")
		}
	})
}

// Only the directories of the store's own names are shards: what somebody else keeps beside
// them is neither read nor swept.
func TestOtherDirectories(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	put(t, s, k, "v", 0, time.Time{})
	other := filepath.Join(d, "backup")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tmp-x", "x.entry"} {
		text("something")(t, filepath.Join(other, name))
	}
	if keys, err := s.List(t.Context(), k.Tenant, k.Subject); err != nil || len(keys) != 1 {
		t.Errorf("List: %v, %v", keys, err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if left := files(t, other, "*"); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

// What is in an entry's place and cannot be read at all is not discarded.
func TestDiscardOfAPipe(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	put(t, s, k, "v", 0, time.Time{})
	path := fileOf(t, d, k)
	replaced(t, path, func(t *testing.T, path string) {
		t.Helper()
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	if err := s.Discard(t.Context(), k); err == nil {
		t.Error("discarded")
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// A lease that was given back can be had again at once, also when the clock was put back.
func TestReleasedWhenTheClockIsPutBack(t *testing.T) {
	clock := newClock()
	s := open(t, dir(t), filestore.Clock(clock.now))
	l, err := s.Lease(t.Context(), k, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Release(t.Context(), k, l.Fence); err != nil {
		t.Fatal(err)
	}
	clock.advance(-time.Hour)
	if next, err := s.Lease(t.Context(), k, time.Minute); err != nil || next.Fence <= l.Fence {
		t.Errorf("%+v, %v", next, err)
	}
	clock.advance(-time.Hour)
	defer filestore.FailSync(false, syscall.EIO)()
	if _, err := s.Lease(t.Context(), k, time.Minute); !errors.Is(err, syscall.EIO) {
		t.Errorf("a lease whose time cannot be counted again: %v", err)
	}
}

// A delete that removes the file of the older format, and then cannot remove the entry for
// good, says so.
func TestDeleteOfBothFormats(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	g := put(t, s, k, "v", 0, time.Time{})
	shard := filepath.Dir(fileOf(t, d, k))
	text("older")(t, filepath.Join(shard, backend.KeyID(k)+".entry"))
	undo := filestore.SyncBy(func(path string) error {
		if path == shard && len(files(t, d, "*.entry")) == 0 {
			return syscall.EIO
		}
		return nil
	})
	err := s.Delete(t.Context(), k, g)
	undo()
	if !errors.Is(err, syscall.EIO) {
		t.Errorf("Delete: %v", err)
	}
}

// As long as the file of the older format cannot be removed, the entry stays: otherwise the
// older one would come back.
func TestOlderThatStays(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	g := put(t, s, k, "v", 0, time.Time{})
	undo := replaced(t, filepath.Join(d, backend.KeyID(k)[:2], backend.KeyID(k)+".entry"), full)
	if err := s.Delete(t.Context(), k, g); err == nil {
		t.Error("deleted")
	}
	undo()
	if e, err := s.Get(t.Context(), k); err != nil || e.Generation != g {
		t.Errorf("afterwards: %+v, %v", e, err)
	}
}

// The highest number that was ever removed from a shard counts, whatever is removed after it.
func TestNumbersOfNeighbours(t *testing.T) {
	clock := newClock()
	s := open(t, dir(t), filestore.Clock(clock.now))
	low := put(t, s, neighbour(), "v", 0, time.Time{})
	clock.advance(time.Second)
	high := put(t, s, k, "v", 0, time.Time{})
	if err := s.Delete(t.Context(), k, high); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), neighbour(), low); err != nil {
		t.Fatal(err)
	}
	clock.advance(-time.Hour)
	if again := put(t, s, k, "v", 0, time.Time{}); again <= high {
		t.Errorf("generation %d after %d", again, high)
	}
}

// A caller who has left changes nothing, and makes no shard.
func TestCallerWhoHasLeft(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	left, leave := context.WithCancel(t.Context())
	leave()
	for range 20 {
		if _, err := s.Put(left, k, []byte("v"), 0, time.Time{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Put: %v", err)
		}
	}
	if names, err := os.ReadDir(d); err != nil || len(names) != 1 {
		t.Errorf("made: %v, %v", names, err)
	}
}

// What a writer could not clean up is cleaned up by the next write, not an hour later.
func TestWriterSweepsAgain(t *testing.T) {
	d := dir(t)
	clock := newClock()
	s := open(t, d, filestore.Clock(clock.now))
	g := put(t, s, k, "1", 0, time.Time{})
	put(t, s, neighbour(), "short", 0, clock.now().Add(time.Second))
	clock.advance(time.Hour)
	mark := filepath.Join(filepath.Dir(fileOf(t, d, k)), "mark")
	undo := replaced(t, mark, text("no number"))
	g = put(t, s, k, "2", g, time.Time{})
	undo()
	if left := files(t, d, "*.entry"); len(left) != 2 {
		t.Fatalf("left: %v", left)
	}
	put(t, s, k, "3", g, time.Time{})
	if left := files(t, d, "*.entry"); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

// Without a home there is no directory by default.
func TestNoHome(t *testing.T) {
	t.Setenv("HOME", "")
	if d, err := filestore.DefaultDir(os.Getenv); err == nil && os.Getenv("XDG_STATE_HOME") == "" {
		t.Errorf("%q", d)
	}
}
