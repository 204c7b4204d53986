package sqlbase_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
	"github.com/stile-oauth/stile/storage/internal/sqlbase"
)

// A row of another key in place of an entry is not taken for that entry.
func TestForeignRow(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() (sqlStore, error), exec func(string)) {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		other := k
		other.Account = "other"
		g, err := s.Put(t.Context(), k, []byte("mine"), 0, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), other, []byte("theirs"), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
		exec(fmt.Sprintf(`UPDATE stile_entry SET key = (SELECT o.key FROM stile_entry o WHERE o.id <> stile_entry.id) WHERE generation = %d`, g))
		foreign := func(what string, e storage.Entry, err error) {
			t.Helper()
			var unreadable *storage.UnreadableError
			if !errors.As(err, &unreadable) || unreadable.Generation != g {
				t.Errorf("%s gives another's row: %q, %v", what, e.Value, err)
			}
		}
		e, err := s.Get(t.Context(), k)
		foreign("Get", e, err)
		l, err := storage.LeaseAndGet(t.Context(), s, k, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		foreign("LeaseAndGet", l.Entry, l.EntryErr)
		good := 0
		err = storage.Entries(t.Context(), s, k.Tenant, k.Subject, func(_ states.Key, e storage.Entry, err error) error {
			if err == nil && string(e.Value) == "theirs" {
				good++
			} else {
				foreign("Entries", e, err)
			}
			return nil
		})
		if err != nil || good != 1 {
			t.Errorf("Entries: %d, %v", good, err)
		}
	})
}

// A lease that was given before the database's clock was put back still runs out, but
// not at once.
func TestLeaseAfterTheClockWasPutBack(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() (sqlStore, error), exec func(string)) {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Lease(t.Context(), k, 200*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		exec("UPDATE stile_lease SET ends = ends + 31536000000") // a year
		if _, err := s.Lease(t.Context(), k, time.Minute); !errors.Is(err, storage.ErrHeld) {
			t.Fatalf("Lease of a holder who may be at work: %v", err)
		}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			_, err := s.Lease(t.Context(), k, time.Minute)
			if err == nil {
				break
			}
			if !errors.Is(err, storage.ErrHeld) || time.Now().After(end) {
				t.Fatalf("Lease after its time: %v", err)
			}
		}
	})
}

// An open store that is idle removes what has expired.
func TestSweepsAtRest(t *testing.T) {
	defer sqlbase.SweepEvery(10 * time.Millisecond)()
	onBoth(t, func(t *testing.T, open func() (sqlStore, error), exec func(string)) {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		exec(`INSERT INTO stile_entry (id, owner, key, value, generation, expires) SELECT 'old', 'o', key, value, 1, 1 FROM stile_entry`)
		resting, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer resting.Close()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			exec(`UPDATE stile_schema SET version = 2 WHERE EXISTS (SELECT 1 FROM stile_entry WHERE expires = 1)`)
			if again, err := open(); err == nil { // another version is refused
				_ = again.Close()
				return
			}
			exec(`UPDATE stile_schema SET version = 1`)
			if time.Now().After(end) {
				t.Fatal("what had expired is still there")
			}
		}
	})
}

// A sweep is bounded, and the next one goes on.
func TestPurgeOfMany(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() (sqlStore, error), exec func(string)) {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
		exec(`INSERT INTO stile_entry (id, owner, key, value, generation, expires)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
			SELECT 'n' || i, 'o', key, value, 1, 1 FROM n, stile_entry`)
		if err := s.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		nothingIsLeft := func(where string) {
			t.Helper()
			exec(`UPDATE stile_schema SET version = 2 WHERE EXISTS (` + where + `)`)
			again, err := open() // another version is refused
			if err != nil {
				t.Fatalf("something was left: %v", err)
			}
			_ = again.Close()
		}
		nothingIsLeft(`SELECT 1 FROM stile_entry WHERE expires = 1`)
		exec(`INSERT INTO stile_lease (id, fence, ends)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
			SELECT 'n' || i, i, 1 FROM n`)
		if err := s.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		nothingIsLeft(`SELECT 1 FROM stile_lease`)
		if _, err := s.Get(t.Context(), k); err != nil {
			t.Errorf("what had not expired: %v", err)
		}
	})
}

// What a watcher compares changes with the beginning and the end of a lease.
func TestSeen(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() (sqlStore, error), _ func(string)) {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		seen := func() string {
			t.Helper()
			what, ok := s.(interface {
				Seen(context.Context, states.Key) (string, bool)
			}).Seen(t.Context(), k)
			if !ok {
				t.Error("nothing is seen")
			}
			return what
		}
		nothing := seen()
		l, err := s.Lease(t.Context(), k, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		held := seen()
		if err := s.Release(t.Context(), k, l.Fence); err != nil {
			t.Fatal(err)
		}
		if held == nothing || held != backend.Held || seen() != nothing {
			t.Errorf("%q, %q, %q", nothing, held, seen())
		}
	})
}
