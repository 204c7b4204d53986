package sqlbase_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/sqlbase"
)

var errDown = errors.New("connection refused")

// down is a database that fails each call and counts them.
type down struct{ calls int }

func (d *down) Read(context.Context, string, []any, func(func(...any) error) error) error {
	d.calls++
	return errDown
}

func (d *down) Write(context.Context, ...*sqlbase.Statement) error {
	d.calls++
	return errDown
}

func (d *down) Close() error { return errDown }

// A failure of the database is reported with its cause, the package and the operation,
// and is never taken for an answer. A call whose context has ended does not reach it.
func TestDatabaseFails(t *testing.T) {
	db := &down{}
	s := sqlbase.New("db", db, sqlbase.Dialect{})
	never := func(states.Key) error { t.Error("a key of nowhere"); return nil }
	left, leave := context.WithCancel(t.Context())
	leave()
	for operation, call := range map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := s.Get(ctx, k); return err },
		"put":    func(ctx context.Context) error { _, err := s.Put(ctx, k, nil, 0, time.Time{}); return err },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, k, 1) },
		"delete: ": func(ctx context.Context) error { // of a generation that no database has
			return s.Delete(ctx, k, 1<<63)
		},
		"lease":   func(ctx context.Context) error { _, err := s.Lease(ctx, k, time.Second); return err },
		"release": func(ctx context.Context) error { return s.Release(ctx, k, 1) },
		"list":    func(ctx context.Context) error { _, err := s.List(ctx, "", ""); return err },
		"list: ":  func(ctx context.Context) error { return s.Keys(ctx, never) },
		"list: connection": func(ctx context.Context) error {
			return s.Entries(ctx, "", "", func(k states.Key, _ storage.Entry, _ error) error { return never(k) })
		},
	} {
		if err := call(t.Context()); !errors.Is(err, errDown) || !strings.HasPrefix(err.Error(), "db: "+operation) {
			t.Errorf("%s: %v", operation, err)
		}
		before := db.calls
		if err := call(left); !errors.Is(err, context.Canceled) || db.calls != before {
			t.Errorf("%s for a caller who has left: %v, %d calls", operation, err, db.calls-before)
		}
	}
	if err := s.Purge(t.Context()); !errors.Is(err, errDown) || !strings.HasPrefix(err.Error(), "db: purge: ") {
		t.Errorf("purge: %v", err)
	}
	if seen, ok := s.Seen(t.Context(), k); ok {
		t.Errorf("a watcher sees %q", seen)
	}
	if err := s.Close(); !errors.Is(err, errDown) {
		t.Errorf("close: %v", err)
	}
}

// half is a database that takes the first statement of each write and fails then.
type half struct{ down }

func (h *half) Write(_ context.Context, statements ...*sqlbase.Statement) error {
	if h.calls++; h.calls > 1 {
		return nil
	}
	statements[0].Found = true
	return errDown
}

// A removal that fails half way ends, with the error.
func TestPurgeFailsHalfWay(t *testing.T) {
	db := &half{}
	if err := sqlbase.New("db", db, sqlbase.Dialect{}).Purge(t.Context()); !errors.Is(err, errDown) || db.calls != 1 {
		t.Errorf("%v after %d calls", err, db.calls)
	}
}

// A row whose key cannot be decoded makes a listing fail: an entry without a name may
// be anybody's.
func TestRowWithoutAKey(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() (sqlStore, error), exec func(string)) {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
		exec(`UPDATE stile_entry SET key = substr(key, 2)`)
		_, list := s.(storage.Lister).List(t.Context(), k.Tenant, k.Subject)
		for _, err := range []error{
			list, s.(storage.KeyLister).Keys(t.Context(), func(states.Key) error { return nil }),
			storage.Entries(t.Context(), s, k.Tenant, k.Subject, func(states.Key, storage.Entry, error) error { return nil }),
		} {
			if err == nil || !strings.Contains(err.Error(), "not an encoded key") {
				t.Errorf("%v", err)
			}
		}
	})
}

// Expired entries are removed with the first write of a process, and the record of a
// lease a day after its end; fences grow nevertheless.
func TestWritesCleanUp(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() (sqlStore, error), exec func(string)) {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		l, err := s.Lease(t.Context(), k, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		recent := k
		recent.Account = "recent"
		if _, err := s.Lease(t.Context(), recent, time.Minute); err != nil {
			t.Fatal(err)
		}
		exec(`UPDATE stile_lease SET ends = 1 WHERE fence = (SELECT MIN(fence) FROM stile_lease)`)
		exec(`INSERT INTO stile_entry (id, owner, key, value, generation, expires) VALUES ('old', 'o', 'k', 'v', 1, 1)`)
		if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
		exec(`UPDATE stile_schema SET version = 2 WHERE EXISTS (SELECT 1 FROM stile_entry WHERE expires = 1) OR (SELECT COUNT(*) FROM stile_lease) <> 1`)
		again, err := open() // another version is refused
		if err != nil {
			t.Fatalf("something was left, or too much removed: %v", err)
		}
		_ = again.Close()
		next, err := s.Lease(t.Context(), k, time.Minute)
		if err != nil || next.Fence <= l.Fence {
			t.Errorf("fence %d after %d, %v", next.Fence, l.Fence, err)
		}
		if _, err := s.Lease(t.Context(), recent, time.Minute); !errors.Is(err, storage.ErrHeld) {
			t.Errorf("a lease that runs was removed: %v", err)
		}
	})
}
