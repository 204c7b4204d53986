package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/pgstore"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// A read whose connection is cut is made once more, and only once.
func TestReadIsRepeatedOnce(t *testing.T) {
	p := through(t, realservers.Database(t))
	s := open(t, p.address, pgstore.MaxConns(1))
	if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for cuts, want := range map[int32]int32{0: 1, 1: 2, 1000: 2} {
		var reads atomic.Int32
		p.set(func() { p.asked = func(m *message) bool { return m.kind != 'E' || reads.Add(1) > cuts } })
		e, err := s.Get(t.Context(), k)
		if good := cuts < 2; good != (err == nil && string(e.Value) == "v") || !good && storage.IsAnswer(err) {
			t.Errorf("after %d cuts: %q, %v", cuts, e.Value, err)
		}
		if reads.Load() != want {
			t.Errorf("%d cuts: read %d times", cuts, reads.Load())
		}
	}
}

// A write whose answer is lost is not made again: whoever made it would be told of a
// conflict with itself.
func TestWriteIsNotRepeated(t *testing.T) {
	p := through(t, realservers.Database(t))
	s := open(t, p.address, pgstore.MaxConns(1))
	var lost atomic.Bool
	p.set(func() { p.said = func(m *message) bool { return m.kind != 'C' || lost.Swap(true) } })
	if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); storage.IsAnswer(err) {
		t.Errorf("Put whose answer is lost: %v", err)
	}
	// A server that cannot be reached is asked once.
	before := p.dialled()
	p.set(func() { p.refuse = func() string { return cut } })
	if _, err := s.Get(t.Context(), k); storage.IsAnswer(err) || p.dialled() != before+1 {
		t.Errorf("Get without a server: %v after %d attempts", err, p.dialled()-before)
	}
}

// A list that is cut in the middle is an error: what was read already is not read again.
func TestListIsCut(t *testing.T) {
	p := through(t, realservers.Database(t))
	s := open(t, p.address, pgstore.MaxConns(1))
	for _, account := range []string{"a", "b"} {
		own := k
		own.Account = account
		if _, err := s.Put(t.Context(), own, []byte("v"), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	var rows atomic.Int32
	p.set(func() { p.said = func(m *message) bool { return m.kind != 'D' || rows.Add(1) != 2 } })
	if keys, err := s.List(t.Context(), k.Tenant, k.Subject); storage.IsAnswer(err) {
		t.Errorf("List that is cut: %v, %v", keys, err)
	}
	if keys, err := s.List(t.Context(), k.Tenant, k.Subject); err != nil || len(keys) != 2 {
		t.Errorf("List: %v, %v", keys, err)
	}
}

// A row that cannot be used is no reason to connect again or to ask again, and neither
// is an error that the server answers.
func TestErrorsKeepTheConnection(t *testing.T) {
	address := realservers.Database(t)
	p := through(t, address)
	s := open(t, p.address, pgstore.MaxConns(1))
	for _, account := range []string{"a", "b"} {
		own := k
		own.Account = account
		if _, err := s.Put(t.Context(), own, []byte("v"), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	var asked atomic.Int32
	p.set(func() {
		p.asked = func(m *message) bool {
			if m.kind == 'P' {
				asked.Add(1)
			}
			return true
		}
	})
	before := p.dialled()
	realservers.Execute(t, address, "UPDATE stile_entry SET key = substr(key, 2)")
	for range 2 {
		if _, err := s.List(t.Context(), k.Tenant, k.Subject); err == nil || !strings.Contains(err.Error(), "not an encoded key") {
			t.Errorf("List: %v", err)
		}
	}
	// A row without a number cannot be read: that is not a missing entry.
	realservers.Execute(t, address, "ALTER TABLE stile_entry ALTER COLUMN generation DROP NOT NULL; UPDATE stile_entry SET generation = NULL")
	own := k
	own.Account = "a"
	if l, err := s.LeaseAndGet(t.Context(), own, time.Minute); storage.IsAnswer(err) {
		t.Errorf("LeaseAndGet of a row that cannot be read: %+v, %v", l, err)
	}
	realservers.Execute(t, address, "DROP TABLE stile_entry")
	asked.Store(0)
	if _, err := s.Get(t.Context(), own); storage.IsAnswer(err) || asked.Load() != 1 {
		t.Errorf("Get without a table: %v, asked %d times", err, asked.Load())
	}
	if n := p.dialled() - before; n > 0 {
		t.Errorf("connected %d times more", n)
	}
}

// refusing makes the database refuse the first writes of an entry with an error code.
func refusing(t *testing.T, address string, times int, code string) (tried func() (n int)) {
	t.Helper()
	realservers.Execute(t, address, fmt.Sprintf(`
		DROP TRIGGER IF EXISTS refuse ON stile_entry;
		DROP SEQUENCE IF EXISTS tries;
		CREATE SEQUENCE tries;
		CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('tries') <= %d THEN RAISE EXCEPTION 'refused by the trigger' USING ERRCODE = '%s'; END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON stile_entry FOR EACH ROW EXECUTE FUNCTION refuse()`, times, code))
	return func() (n int) {
		c, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.WithoutCancel(t.Context()))
		if err := c.QueryRow(t.Context(), "SELECT last_value FROM tries").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// Writes that conflict with others are made again, for a while. Other errors are not
// taken for conflicts, nor for a server without a free connection.
func TestRefusedWrites(t *testing.T) {
	address := realservers.Database(t)
	s := open(t, address)
	for i, c := range []struct {
		times int
		code  string
		good  bool
	}{{9, "40001", true}, {2, "40P01", true}, {1000, "40001", false}, {1, "53300", false}, {1, "22000", false}} {
		own := k
		own.Account = fmt.Sprint(i)
		tried := refusing(t, address, c.times, c.code)
		_, err := s.Put(t.Context(), own, []byte("v"), 0, time.Time{})
		if c.good != (err == nil) || !c.good && storage.IsAnswer(err) {
			t.Errorf("refused %d times with %s: %v", c.times, c.code, err)
		}
		if n := tried(); c.times == 1 && n != 1 {
			t.Errorf("refused with %s: tried %d times", c.code, n)
		}
	}
}

// A call whose context ends says so, once and on one line, and the connections of other
// calls go on.
func TestEndOfTheContext(t *testing.T) {
	p := through(t, realservers.Postgres(t))
	s := open(t, p.address, pgstore.MaxConns(2))
	ctx, leave := context.WithCancel(t.Context())
	arrived, hold := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	p.set(func() {
		p.asked = func(m *message) bool {
			if !first.Swap(true) {
				close(arrived)
				<-hold
			}
			return true
		}
	})
	ended := make(chan error)
	go func() { _, err := s.Get(ctx, k); ended <- err }()
	<-arrived
	if _, err := s.Get(t.Context(), k); err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) || strings.Count(err.Error(), "context canceled") != 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("Get: %v", err)
	}
	close(hold)
	if _, err := s.Get(t.Context(), k); err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	if n := p.dialled(); n != 2 {
		t.Errorf("connected %d times", n)
	}
}

// Open waits for a server that is starting or that has no connection free, for a while;
// it does not wait after another refusal.
func TestRefusedConnections(t *testing.T) {
	address := realservers.Postgres(t)
	for _, code := range []string{"57P03", "53300"} {
		p := through(t, address)
		p.refuse = func() string {
			if p.dialled() <= 2 {
				return code
			}
			return ""
		}
		open(t, p.address)
	}
	p := through(t, address)
	p.refuse = func() string { return "28P01" }
	if _, err := pgstore.Open(t.Context(), p.address); err == nil || p.dialled() != 1 {
		t.Errorf("Open with another's password: %v after %d attempts", err, p.dialled())
	}
	defer pgstore.ConnectWait(20 * time.Millisecond)()
	p.set(func() { p.refuse = func() string { return "57P03" } })
	if _, err := pgstore.Open(t.Context(), p.address); err == nil || !strings.Contains(err.Error(), "57P03") {
		t.Errorf("Open of a server that never starts: %v", err)
	}
}
