package sqlbase_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
	"github.com/stile-oauth/stile/storage/internal/sqlbase"
)

// fake is a database whose answers the test gives.
type fake struct {
	read  func(each func(func(...any) error) error) error
	write func(...*sqlbase.Statement) error
	calls atomic.Int64
}

func (f *fake) Read(_ context.Context, _ string, _ []any, each func(func(...any) error) error) error {
	f.calls.Add(1)
	return f.read(each)
}

func (f *fake) Write(_ context.Context, statements ...*sqlbase.Statement) error {
	f.calls.Add(1)
	return f.write(statements...)
}

func (f *fake) Close() error { return nil }

func over(t *testing.T, db sqlbase.Database) *sqlbase.Store {
	t.Helper()
	s := sqlbase.New("db", db, sqlbase.Dialect{})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A row that cannot be read is an error, with its cause.
func TestRowsThatCannotBeRead(t *testing.T) {
	s := over(t, &fake{read: func(each func(func(...any) error) error) error {
		return each(func(...any) error { return errDown })
	}})
	never := func(states.Key) error { t.Error("a key of nowhere"); return nil }
	_, get := s.Get(t.Context(), k)
	_, list := s.List(t.Context(), "", "")
	for _, err := range []error{
		get, list, s.Keys(t.Context(), never),
		s.Entries(t.Context(), "", "", func(k states.Key, _ storage.Entry, _ error) error { return never(k) }),
	} {
		if !errors.Is(err, errDown) {
			t.Errorf("%v", err)
		}
	}
	if seen, ok := s.Seen(t.Context(), k); ok {
		t.Errorf("a watcher sees %q", seen)
	}
}

// A delete that fails half way is an error, and is not taken for a missing entry.
func TestDeleteFailsHalfWay(t *testing.T) {
	for _, half := range []string{"write", "read"} {
		fails := func(what string) error {
			if what == half {
				return errDown
			}
			return nil
		}
		s := over(t, &fake{
			read:  func(func(func(...any) error) error) error { return fails("read") },
			write: func(...*sqlbase.Statement) error { return fails("write") },
		})
		if err := s.Delete(t.Context(), k, 1); !errors.Is(err, errDown) {
			t.Errorf("Delete whose %s fails: %v", half, err)
		}
	}
}

// Time limits are counted in whole milliseconds, rounded up.
func TestLeaseMilliseconds(t *testing.T) {
	var args []any
	s := over(t, &fake{write: func(statements ...*sqlbase.Statement) error {
		args = statements[0].Args
		return nil
	}})
	for ttl, want := range map[time.Duration]int64{1: 1, time.Millisecond: 1, time.Hour: 3600000, time.Hour + 1: 3600001, time.Hour + time.Millisecond: 3600001} {
		if _, err := s.Lease(t.Context(), k, ttl); !errors.Is(err, storage.ErrHeld) {
			t.Fatal(err)
		}
		if !slices.Contains(args, any(want)) {
			t.Errorf("a lease for %v: %v, want %d", ttl, args, want)
		}
	}
}

// Removing what has expired does not double the number of writes.
func TestFewWritesCleanUp(t *testing.T) {
	db := &fake{write: func(statements ...*sqlbase.Statement) error {
		statements[0].Found = len(statements) == 1 // nothing has expired
		return nil
	}}
	s := over(t, db)
	const n = 600
	for range n {
		if _, err := s.Put(t.Context(), k, nil, 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := db.calls.Load(); got <= n || got > n+10 {
		t.Errorf("%d writes reached the database %d times", n, got)
	}
}

// After its end a store does not ask the database any more.
func TestNoSweepAfterTheEnd(t *testing.T) {
	defer sqlbase.SweepEvery(time.Millisecond)()
	nothing := func(...*sqlbase.Statement) error { return nil }
	db, other := &fake{write: nothing}, &fake{write: nothing}
	if err := over(t, db).Close(); err != nil {
		t.Fatal(err)
	}
	before := db.calls.Load()
	over(t, other)
	for end := time.Now().Add(20 * time.Second); other.calls.Load() < 5; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the other is not swept")
		}
	}
	if n := db.calls.Load() - before; n > 0 {
		t.Errorf("asked %d times", n)
	}
}

// A value is kept behind its sum and a blank; anything else in that place is damage.
func TestTheBlankBehindTheSum(t *testing.T) {
	var value, key []byte
	db := &fake{
		write: func(statements ...*sqlbase.Statement) error {
			for _, a := range statements[0].Args {
				if b, ok := a.([]byte); ok && bytes.HasSuffix(b, []byte(" token")) {
					value = b
				}
			}
			statements[0].Found = true
			return nil
		},
		read: func(each func(func(...any) error) error) error {
			return each(func(dest ...any) error {
				*dest[0].(*[]byte), *dest[1].(*int64), *dest[3].(*[]byte) = value, 7, key
				return nil
			})
		},
	}
	s := over(t, db)
	key = backend.EncodeKey(k)
	if _, err := s.Put(t.Context(), k, []byte("token"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "token" || e.Generation != 7 {
		t.Errorf("Get: %+v, %v", e, err)
	}
	value[bytes.LastIndexByte(value, ' ')] = '_'
	var unreadable *storage.UnreadableError
	if e, err := s.Get(t.Context(), k); !errors.As(err, &unreadable) || unreadable.Generation != 7 {
		t.Errorf("Get: %+v, %v", e, err)
	}
}
