package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// bare is a store without any of the optional interfaces.
type bare struct{ s *storage.Memory }

func (b bare) Get(ctx context.Context, k states.Key) (storage.Entry, error) { return b.s.Get(ctx, k) }
func (b bare) Put(ctx context.Context, k states.Key, v []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	return b.s.Put(ctx, k, v, expected, expires)
}
func (b bare) Delete(ctx context.Context, k states.Key, expected states.Generation) error {
	return b.s.Delete(ctx, k, expected)
}
func (b bare) Lease(ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
	return b.s.Lease(ctx, k, ttl)
}
func (b bare) Release(ctx context.Context, k states.Key, fence uint64) error {
	return b.s.Release(ctx, k, fence)
}

// listing is a bare store that can list.
type listing struct{ bare }

func (l listing) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	return l.s.List(ctx, tenant, subject)
}

func keyOf(subject, name string) states.Key {
	return states.Key{Kind: states.KindCredential, Subject: subject, Name: name}
}

// TestWhatAStoreLacks: what a store cannot do in one round trip is done in
// several, with the same result.
func TestWhatAStoreLacks(t *testing.T) {
	ctx := t.Context()
	for _, s := range []storage.Store{bare{storage.NewMemory()}, storage.NewMemory()} {
		name := fmt.Sprintf("%T", s)
		k := keyOf("u", "https://mcp.example/mcp")
		l, err := storage.LeaseAndGet(ctx, s, k, time.Minute)
		if err != nil || !errors.Is(l.EntryErr, storage.ErrNotFound) || l.Lease.Fence == 0 || l.Lease.TTL <= 0 || l.Lease.TTL > time.Minute {
			t.Fatalf("%s: %+v %v", name, l, err)
		}
		if _, err := storage.LeaseAndGet(ctx, s, k, time.Minute); !errors.Is(err, storage.ErrHeld) {
			t.Errorf("%s: a second lease: %v", name, err)
		}
		if _, err := storage.PutAndRelease(ctx, s, k, []byte("a"), 7, time.Time{}, l.Lease.Fence); !errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: a write over what is not there: %v", name, err)
		}
		if _, err := s.Lease(ctx, k, time.Minute); !errors.Is(err, storage.ErrHeld) {
			t.Errorf("%s: the lease was given back by a write that failed: %v", name, err)
		}
		g, err := storage.PutAndRelease(ctx, s, k, []byte("a"), 0, time.Time{}, l.Lease.Fence)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := storage.LeaseAndGet(ctx, s, k, time.Minute)
		if err != nil || again.EntryErr != nil || string(again.Entry.Value) != "a" || again.Entry.Generation != g {
			t.Errorf("%s: after a write that gives the lease back: %+v %v", name, again, err)
		}
		_, one := s.(bare)
		if e, held, err := storage.GetHeld(ctx, s, k); err != nil || string(e.Value) != "a" || held == one {
			t.Errorf("%s: %+v, held %v, %v", name, e, held, err)
		}
		done, err := storage.Queue(ctx, s, true)
		if err != nil || done == nil {
			t.Errorf("%s: a turn: %v", name, err)
		} else {
			done()
		}
		changed, stop := storage.Watch(s, k)
		if (changed == nil) != one {
			t.Errorf("%s: it watches: %v", name, changed != nil)
		}
		stop()
	}
}

// TestEntriesOfAnOwner: every entry of one owner is given, an unreadable one with
// its error; a store that cannot list says so.
func TestEntriesOfAnOwner(t *testing.T) {
	ctx := t.Context()
	m := storage.NewMemory()
	for _, k := range []states.Key{keyOf("u", "a"), keyOf("u", "b"), keyOf("other", "a"), {Kind: states.KindCredential, Tenant: "t", Subject: "u", Name: "a"}} {
		if _, err := m.Put(ctx, k, []byte(k.Name), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := storage.Entries(ctx, bare{m}, "", "u", nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a store that cannot list: %v", err)
	}
	for _, s := range []storage.Store{listing{bare{m}}, m} {
		var got string
		err := storage.Entries(ctx, s, "", "u", func(k states.Key, e storage.Entry, err error) error {
			got += k.Name + string(e.Value)
			return err
		})
		if err != nil || got != "aabb" {
			t.Errorf("%T: %q %v", s, got, err)
		}
		calls := 0
		if err := storage.Entries(ctx, s, "", "u", func(states.Key, storage.Entry, error) error { calls++; return io.EOF }); !errors.Is(err, io.EOF) || calls != 1 {
			t.Errorf("%T: what ends it: %v after %d calls", s, err, calls)
		}
	}
}

// TestAnswersAndFailures: three errors are answers, all others are failures; the
// error of an unreadable entry says which entry, where and why.
func TestAnswersAndFailures(t *testing.T) {
	for _, c := range []struct {
		err    error
		answer bool
	}{
		{nil, true}, {storage.ErrNotFound, true}, {storage.ErrConflict, true}, {storage.ErrHeld, true}, {fmt.Errorf("x: %w", storage.ErrHeld), true},
		{io.EOF, false}, {storage.ErrLease, false}, {&storage.UnreadableError{Err: io.EOF}, false}, {context.Canceled, false},
	} {
		if storage.IsAnswer(c.err) != c.answer {
			t.Errorf("%v: %v", c.err, !c.answer)
		}
	}
	k := keyOf("", "https://mcp.example/mcp")
	for where, want := range map[string]string{
		"": `storage: the entry "credential of https://mcp.example/mcp" cannot be read: EOF`, "row 7": `storage: the entry "credential of https://mcp.example/mcp" cannot be read (row 7): EOF`,
	} {
		if err := (&storage.UnreadableError{Key: k, Where: where, Err: io.EOF}); err.Error() != want || !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	}
}

// TestMemoryTells: watchers hear of a write or delete without a lease and of the
// end of a lease, but not of changes under a lease. An expired entry is not
// listed.
func TestMemoryTells(t *testing.T) {
	ctx := t.Context()
	m := storage.NewMemory()
	k := keyOf("u", "a")
	changed, stop := m.Watch(k)
	defer stop()
	told := func(what string, want bool) {
		t.Helper()
		select {
		case <-changed:
			if !want {
				t.Errorf("told of %s", what)
			}
		default:
			if want {
				t.Errorf("not told of %s", what)
			}
		}
	}
	g, err := m.Put(ctx, k, []byte("1"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	told("a write", true)
	l, err := m.Lease(ctx, k, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	told("a lease", false)
	if g, err = m.Put(ctx, k, []byte("2"), g, time.Time{}); err != nil {
		t.Fatal(err)
	}
	told("a write under a lease", false)
	if err := m.Release(ctx, k, l.Fence+1); err != nil {
		t.Fatal(err)
	}
	told("the end of another lease", false)
	if err := m.Release(ctx, k, l.Fence); err != nil {
		t.Fatal(err)
	}
	told("the end of a lease", true)
	if err := m.Delete(ctx, k, g); err != nil {
		t.Fatal(err)
	}
	told("a delete", true)
	if _, err := m.Put(ctx, k, []byte("3"), 0, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if keys, err := m.List(ctx, "", "u"); err != nil || len(keys) != 0 {
		t.Errorf("an expired entry is listed: %v %v", keys, err)
	}
	if _, err := m.LeaseAndGet(ctx, k, 0); !errors.Is(err, storage.ErrLease) {
		t.Errorf("a lease of no time: %v", err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := m.LeaseAndGet(over, k, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has left: %v", err)
	}
}
