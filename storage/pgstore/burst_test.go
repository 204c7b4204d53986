package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/pgstore"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// A burst over few connections delays calls and makes none of them fail: the time
// limit of a call begins when it has a connection.
func TestBurst(t *testing.T) {
	s := open(t, realservers.Database(t), pgstore.MaxConns(2))
	var wg sync.WaitGroup
	var failed atomic.Int32
	for i := range 1000 {
		wg.Go(func() {
			done, err := s.Queue(t.Context(), i%2 == 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer done()
			// Long for one call, and short for a burst.
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			own := k
			own.Account = fmt.Sprint(i)
			if _, err := s.Put(ctx, own, []byte("v"), 0, time.Time{}); err != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of 1000 calls failed", n)
	}
}

// Reads are repeated after a cut connection, wherever the cut was noticed.
func TestReadsAfterACut(t *testing.T) {
	address := realservers.Database(t)
	s := open(t, address, pgstore.MaxConns(4))
	if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		var wg sync.WaitGroup
		for range 4 { // all connections of the pool are made
			wg.Go(func() {
				if _, err := s.Get(t.Context(), k); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		realservers.Execute(t, address, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")
		if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "v" {
			t.Errorf("Get after the connections were cut: %q, %v", e.Value, err)
		}
		if keys, err := s.List(t.Context(), k.Tenant, k.Subject); err != nil || len(keys) != 1 {
			t.Errorf("List after the connections were cut: %v, %v", keys, err)
		}
	}
}

// A call waits for a server that has no connection to give at the moment.
func TestNoConnectionFree(t *testing.T) {
	address := realservers.Database(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	_ = open(t, address).Close() // makes the tables
	// A role that may not exceed the database's limit meets it at once.
	realservers.Execute(t, address, "CREATE ROLE few_"+name+" LOGIN PASSWORD 'few'")
	realservers.Execute(t, address, "GRANT ALL ON ALL TABLES IN SCHEMA public TO few_"+name)
	realservers.Execute(t, address, "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO few_"+name)
	realservers.Execute(t, address, "GRANT ALL ON SCHEMA public TO few_"+name)
	u.User = url.UserPassword("few_"+name, "few")
	realservers.Execute(t, address, "ALTER TABLE stile_lease OWNER TO few_"+name)
	realservers.Execute(t, address, "ALTER TABLE stile_entry OWNER TO few_"+name)
	s := open(t, u.String(), pgstore.MaxConns(1))
	realservers.Execute(t, address, "ALTER ROLE few_"+name+" CONNECTION LIMIT 1")
	realservers.Execute(t, address, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'few_"+name+"'")
	other, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() { _ = other.Close(context.Background()) })
	if _, err := s.Get(t.Context(), k); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get while the only connection was taken: %v", err)
	}
}

// silentServer accepts and never answers.
func silentServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return "postgres://u:hunter2@" + l.Addr().String() + "/db?sslmode=disable"
}

// A server that says nothing keeps no call beyond its context.
func TestSilentServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := pgstore.Open(ctx, silentServer(t)); err == nil || storage.IsAnswer(err) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Open: %v", err)
	}
}

// In a database that is set to a stricter isolation, statements that conflict are
// repeated and answered: nobody sees a serialization failure.
func TestSerializable(t *testing.T) {
	address := realservers.Database(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	realservers.Execute(t, address, "ALTER DATABASE "+strings.TrimPrefix(u.Path, "/")+" SET default_transaction_isolation = 'serializable'")
	s := open(t, address)
	for range 20 {
		g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var leases, puts atomic.Int32
		for range 16 {
			wg.Go(func() {
				_, err := s.LeaseAndGet(t.Context(), k, time.Hour)
				if err == nil {
					leases.Add(1)
				} else if !storage.IsAnswer(err) {
					t.Errorf("LeaseAndGet: %v", err)
				}
				if _, err := s.Put(t.Context(), k, []byte("w"), g, time.Time{}); err == nil {
					puts.Add(1)
				} else if !storage.IsAnswer(err) {
					t.Errorf("Put: %v", err)
				}
			})
		}
		wg.Wait()
		if leases.Load() != 1 || puts.Load() != 1 {
			t.Errorf("%d leases, %d writes", leases.Load(), puts.Load())
		}
		realservers.Execute(t, address, "TRUNCATE stile_entry, stile_lease")
	}
}
