//go:build unix

package filestore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// calls are all calls about one entry that is there, with generation g and a
// lease with this fence.
var calls = map[string]func(ctx context.Context, s *filestore.Store, g states.Generation, fence uint64) error{
	"Get": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		_, err := s.Get(ctx, k)
		return err
	},
	"GetHeld": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		_, _, err := s.GetHeld(ctx, k)
		return err
	},
	"Put": func(ctx context.Context, s *filestore.Store, g states.Generation, _ uint64) error {
		_, err := s.Put(ctx, k, []byte("two"), g, time.Time{})
		return err
	},
	"Put of another": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		_, err := s.Put(ctx, neighbour(), []byte("new"), 0, time.Time{})
		return err
	},
	"Delete": func(ctx context.Context, s *filestore.Store, g states.Generation, _ uint64) error {
		return s.Delete(ctx, k, g)
	},
	"Get of another": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		_, err := s.Get(ctx, neighbour())
		return err
	},
	"Delete of another": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		return s.Delete(ctx, neighbour(), 1)
	},
	"Lease of another": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		_, err := s.Lease(ctx, neighbour(), time.Minute)
		return err
	},
	"Discard": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		return s.Discard(ctx, k)
	},
	"Lease": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		_, err := s.Lease(ctx, k, time.Minute)
		return err
	},
	"Release": func(ctx context.Context, s *filestore.Store, _ states.Generation, f uint64) error {
		return s.Release(ctx, k, f)
	},
	"Keys": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		return s.Keys(ctx, func(states.Key) error { return nil })
	},
	"List": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		_, err := s.List(ctx, k.Tenant, k.Subject)
		return err
	},
	"Entries": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		return s.Entries(ctx, k.Tenant, k.Subject, func(_ states.Key, _ storage.Entry, err error) error { return err })
	},
	"Sweep": func(ctx context.Context, s *filestore.Store, _ states.Generation, _ uint64) error {
		return s.Sweep(ctx)
	},
}

// neighbour is a key whose entry lies in the same shard as that of k.
func neighbour() states.Key {
	n := k
	for i := 0; ; i++ {
		n.Account = strings.Repeat("n", i+1)
		if backend.KeyID(n)[:2] == backend.KeyID(k)[:2] {
			return n
		}
	}
}

// answers reports whether err is something that a call may say while nothing is broken.
func answers(err error) bool {
	return err == nil || errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConflict) ||
		errors.Is(err, storage.ErrHeld)
}

// Something on the disk is in the way. The calls that need it fail with an error of
// the disk: they do not say that the entry is missing, changed or written. The others
// go on. When the disk is whole again, the entry is there as it was, numbers go on, and
// nothing half written is left.
func TestDisk(t *testing.T) {
	for _, c := range []struct {
		name    string
		damage  func(t *testing.T, d, shard string) (undo func())
		failing []string // the calls that it concerns; nil: all
	}{
		{"the directory is gone", func(t *testing.T, d, _ string) func() { return moved(t, d) }, nil},
		{"the format is gone", func(t *testing.T, d, _ string) func() { return moved(t, filepath.Join(d, "format")) },
			[]string{"Keys", "Lease", "Lease of another", "List", "Entries", "Release", "Sweep", "Put of another", "Get of another", "Delete of another"}},
		{"a file is where the shard was", func(t *testing.T, _, shard string) func() { return replaced(t, shard, nil) },
			[]string{"Delete", "Delete of another", "Discard", "Get", "Get of another", "GetHeld", "Lease", "Lease of another", "Put", "Put of another", "Release"}},
		{"a directory is where the entry was", func(t *testing.T, _, shard string) func() { return replaced(t, one(t, shard, "*.entry"), full) },
			[]string{"Delete", "Discard", "Entries", "Get", "GetHeld", "Keys", "List", "Put", "Sweep"}},
		{"a directory is where the lease was", func(t *testing.T, _, shard string) func() { return replaced(t, one(t, shard, "*.lease"), full) },
			[]string{"Lease", "Release"}},
		{"the lease is of a newer version", func(t *testing.T, _, shard string) func() {
			return replaced(t, one(t, shard, "*.lease"), text(`{"version":2,"fence":1,"at":1,"until":2}`))
		}, []string{"Lease", "Release"}},
		{"a directory is where the lock was", func(t *testing.T, _, shard string) func() { return replaced(t, filepath.Join(shard, "lock"), full) },
			[]string{"Delete", "Delete of another", "Discard", "Lease", "Lease of another", "Put", "Put of another", "Release", "Sweep"}},
		{"a directory is where the mark is", func(t *testing.T, _, shard string) func() { return replaced(t, filepath.Join(shard, "mark"), full) },
			[]string{"Delete", "Lease of another", "Put of another"}},
		{"the mark is no number", func(t *testing.T, _, shard string) func() {
			return replaced(t, filepath.Join(shard, "mark"), text("12x\n"))
		}, []string{"Delete", "Lease of another", "Put of another"}},
		{"files cannot be synced", func(*testing.T, string, string) func() { return filestore.FailSync(false, syscall.EIO) },
			[]string{"Delete", "Lease", "Lease of another", "Put", "Put of another", "Release"}},
		{"directories cannot be synced", func(*testing.T, string, string) func() { return filestore.FailSync(true, syscall.EIO) },
			[]string{"Delete", "Lease", "Lease of another", "Put", "Put of another", "Release"}},
		{"the file system syncs no directories", func(*testing.T, string, string) func() { return filestore.FailSync(true, syscall.EINVAL) },
			[]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, call := range calls {
				d := dir(t)
				clock := newClock()
				s := open(t, d, filestore.Clock(clock.now), filestore.LockWait(5*time.Second))
				g := put(t, s, k, "one", 0, time.Time{})
				l, err := s.Lease(t.Context(), k, time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				clock.advance(30 * time.Second)
				if name == "Lease" {
					clock.advance(time.Minute)
				}
				shard := filepath.Dir(one(t, d, "*/*.entry"))
				undo := c.damage(t, d, shard)
				err = call(t.Context(), s, g, l.Fence)
				undo()
				concerned := c.failing == nil || slices.Contains(c.failing, name)
				switch {
				case concerned && answers(err):
					t.Errorf("%s: %v, want an error of the disk", name, err)
				case !concerned && !answers(err):
					t.Errorf("%s: %v", name, err)
				case concerned && !strings.Contains(err.Error(), "filestore: "):
					t.Errorf("%s: the error does not name its package: %v", name, err)
				}
				if left := files(t, d, "*/tmp-*"); len(left) > 0 {
					t.Errorf("%s left %v", name, left)
				}
				if !concerned {
					continue
				}
				// A removal that could not be synced may have happened; so may a write.
				e, err := s.Get(t.Context(), k)
				if err == nil && (string(e.Value) == "one") == (e.Generation != g) || err != nil && !(name == "Delete" && errors.Is(err, storage.ErrNotFound)) {
					t.Errorf("%s: afterwards %q of generation %d (%d before), %v", name, e.Value, e.Generation, g, err)
				}
				if again := put(t, s, neighbour(), "later", generation(t, s, neighbour()), time.Time{}); again <= g {
					t.Errorf("%s: generation %d after %d", name, again, g)
				}
			}
		})
	}
}

func generation(t *testing.T, s *filestore.Store, key states.Key) states.Generation {
	t.Helper()
	e, err := s.Get(t.Context(), key)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	return e.Generation
}

// moved moves a path away until undo is called.
func moved(t *testing.T, path string) (undo func()) {
	t.Helper()
	aside := path + ".aside"
	if err := os.Rename(path, aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return func() {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(aside, path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// replaced puts what by makes in place of a path; nil makes an empty file.
func replaced(t *testing.T, path string, by func(t *testing.T, path string)) (undo func()) {
	t.Helper()
	undo = moved(t, path)
	if by == nil {
		by = text("")
	}
	by(t, path)
	return undo
}

// full makes a directory that no rename can replace.
func full(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(path, "something"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func text(s string) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A store whose format cannot be written is not opened.
func TestFormatCannotBeSynced(t *testing.T) {
	defer filestore.FailSync(false, syscall.EIO)()
	d := dir(t)
	if _, err := filestore.Open(d); !errors.Is(err, syscall.EIO) {
		t.Errorf("Open: %v", err)
	}
	if left := files(t, d, "*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
