package pgstore_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/pgstore"
	"github.com/stile-oauth/stile/storage/storetest"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

func TestMain(m *testing.M) { os.Exit(realservers.Main(m)) }

func open(t *testing.T, url string, opts ...pgstore.Option) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestContract(t *testing.T) {
	address := realservers.Postgres(t)
	s := open(t, address)
	storetest.Run(t, func(t *testing.T) storage.Store { return s },
		storetest.Pair(func(t *testing.T) (storage.Store, storage.Store) { return s, open(t, address) }),
		storetest.Broken(func(t *testing.T) storage.Store {
			address := realservers.Database(t)
			s := open(t, address)
			realservers.Execute(t, address, "DROP TABLE stile_entry, stile_lease")
			return s
		}))
}

var k = states.Key{Kind: states.KindCredential, Tenant: "acme", Subject: "alice", Name: "https://mcp.example/"}

// A connection that the server ended is replaced.
func TestConnectionLost(t *testing.T) {
	address := realservers.Database(t)
	s := open(t, address, pgstore.MaxConns(1))
	if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	realservers.Execute(t, address, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")
	// One call may meet the broken connection; that is a failure and not an answer.
	if _, err := s.Get(t.Context(), k); err != nil && storage.IsAnswer(err) {
		t.Fatalf("a broken connection answers %v", err)
	}
	if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "v" {
		t.Fatalf("after the connection was lost: %q, %v", e.Value, err)
	}
}

// A cancelled wait for the one connection, or for a row that is locked, ends.
func TestWaitIsCancelled(t *testing.T) {
	address := realservers.Database(t)
	s := open(t, address, pgstore.MaxConns(1))
	g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT * FROM stile_entry FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 2 { // one waits for the row, the other for the connection
		wg.Go(func() {
			if _, err := s.Put(ctx, k, []byte("w"), g, time.Time{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Put under a lock: %v", err)
			}
		})
	}
	wg.Wait()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The server may or may not have heard of the end of the wait before the row
	// came free: nothing may be concluded. One of the two values is there.
	if e, err := s.Get(t.Context(), k); err != nil || (string(e.Value) == "v") != (e.Generation == g) {
		t.Fatalf("after it: %q, generation %d, %v", e.Value, e.Generation, err)
	}
}

// A schema of a newer version is refused and left as it is.
func TestNewerSchema(t *testing.T) {
	address := realservers.Database(t)
	open(t, address)
	realservers.Execute(t, address, "UPDATE stile_schema SET version = 2")
	if _, err := pgstore.Open(t.Context(), address); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a newer schema: %v", err)
	}
}

func TestNoPasswordInErrors(t *testing.T) {
	for _, address := range []string{
		"postgres://u:hunter2@127.0.0.1:1/db?sslmode=disable",
		"postgres://u:hunter2@127.0.0.1:not-a-port/db",
		"host=127.0.0.1 port=1 password=hunter2 user=u sslmode=disable",
		"password=hunter2 port=x",
		"hunter2",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := pgstore.Open(ctx, address)
		cancel()
		if err == nil || storage.IsAnswer(err) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open: %v", err)
		}
	}
}
