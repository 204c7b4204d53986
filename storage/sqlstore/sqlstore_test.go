package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/sqlstore"
	"github.com/stile-oauth/stile/storage/storetest"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

func TestMain(m *testing.M) { os.Exit(realservers.Main(m)) }

func sqlite(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func postgres(t *testing.T, url string, opts ...sqlstore.PostgresOption) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.OpenPostgres(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a file?with=odd&letters#%41.db")
	s := sqlite(t, path)
	storetest.Run(t, func(t *testing.T) storage.Store { return s },
		storetest.Pair(func(t *testing.T) (storage.Store, storage.Store) { return s, sqlite(t, path) }),
		storetest.Broken(func(t *testing.T) storage.Store {
			path := filepath.Join(t.TempDir(), "gone.db")
			s := sqlite(t, path)
			if err := os.Remove(path); err != nil {
				t.Skipf("an open file cannot be removed here: %v", err)
			}
			return s
		}))
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the database is somewhere else: %v", err)
	}
}

func TestPostgres(t *testing.T) {
	address := realservers.Postgres(t)
	s := postgres(t, address)
	storetest.Run(t, func(t *testing.T) storage.Store { return s },
		storetest.Pair(func(t *testing.T) (storage.Store, storage.Store) { return s, postgres(t, address) }),
		storetest.Broken(func(t *testing.T) storage.Store {
			address := database(t)
			s := postgres(t, address)
			execute(t, address, "DROP TABLE stile_entry, stile_lease")
			return s
		}))
}

// database makes a database of its own and gives its URL.
func database(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(realservers.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	execute(t, u.String(), "CREATE DATABASE "+name)
	u.Path = "/" + name
	return u.String()
}

func execute(t *testing.T, address, statement string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	if _, err := c.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

var k = states.Key{Kind: states.KindCredential, Tenant: "acme", Subject: "alice", Name: "https://mcp.example/"}

// Many processes that open one new database at once all get it.
func TestOpenTogether(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(t *testing.T) func() (*sqlstore.Store, error)
	}{
		{"SQLite", func(t *testing.T) func() (*sqlstore.Store, error) {
			path := filepath.Join(t.TempDir(), "new.db")
			return func() (*sqlstore.Store, error) { return sqlstore.OpenSQLite(t.Context(), path) }
		}},
		{"PostgreSQL", func(t *testing.T) func() (*sqlstore.Store, error) {
			address := database(t)
			return func() (*sqlstore.Store, error) { return sqlstore.OpenPostgres(t.Context(), address) }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			open := c.open(t)
			var wg sync.WaitGroup
			stores, errs := make([]*sqlstore.Store, 8), make([]error, 8)
			gens := make([]states.Generation, 8)
			for i := range stores {
				wg.Go(func() {
					if stores[i], errs[i] = open(); errs[i] != nil {
						return
					}
					defer stores[i].Close()
					own := k
					own.Account = string(rune('a' + i))
					gens[i], errs[i] = stores[i].Put(t.Context(), own, []byte("v"), 0, time.Time{})
				})
			}
			wg.Wait()
			seen := map[states.Generation]bool{}
			for i, err := range errs {
				if err != nil || seen[gens[i]] {
					t.Errorf("process %d: generation %d, %v", i, gens[i], err)
				}
				seen[gens[i]] = true
			}
		})
	}
}

// What expired is removed for good, and no number comes back.
func TestPurge(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(t *testing.T) *sqlstore.Store
	}{
		{"SQLite", func(t *testing.T) *sqlstore.Store { return sqlite(t, filepath.Join(t.TempDir(), "p.db")) }},
		{"PostgreSQL", func(t *testing.T) *sqlstore.Store { return postgres(t, database(t)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.open(t)
			g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Now().Add(-time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			again, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
			if err != nil || again <= g {
				t.Fatalf("generation %d after %d, %v", again, g, err)
			}
			if err := s.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			if e, err := s.Get(t.Context(), k); err != nil || e.Generation != again {
				t.Fatalf("what had not expired: %+v, %v", e, err)
			}
		})
	}
}

// A connection that the server ended is replaced.
func TestPostgresConnectionLost(t *testing.T) {
	address := database(t)
	s := postgres(t, address, sqlstore.MaxConns(1))
	if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	execute(t, address, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")
	// One call may meet the broken connection; it is a failure and no answer.
	if _, err := s.Get(t.Context(), k); err != nil && storage.IsAnswer(err) {
		t.Fatalf("a broken connection answers %v", err)
	}
	if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "v" {
		t.Fatalf("after the connection was lost: %q, %v", e.Value, err)
	}
}

// A cancelled wait for the one connection, or for a row that is locked, ends.
func TestPostgresWaitIsCancelled(t *testing.T) {
	address := database(t)
	s := postgres(t, address, sqlstore.MaxConns(1))
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
	// The server may have heard of the end of the wait before the row came free,
	// or not: nothing may be concluded. One of the two values is there.
	if e, err := s.Get(t.Context(), k); err != nil || (string(e.Value) == "v") != (e.Generation == g) {
		t.Fatalf("after it: %q, generation %d, %v", e.Value, e.Generation, err)
	}
}

// A writer that stands still delays others until their context ends.
func TestSQLiteWaitIsCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "locked.db")
	s := sqlite(t, path)
	db, err := sql.Open("sqlite", path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Put(ctx, k, []byte("v"), 0, time.Time{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put while another process writes: %v", err)
	}
	if _, err := s.Get(t.Context(), k); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("reading waits for nobody: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Error(err)
	}
}

func TestSQLiteFile(t *testing.T) {
	d := t.TempDir()
	path := filepath.Join(d, "new.db")
	s := sqlite(t, path)
	if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(d)
	if err != nil || len(names) < 2 {
		t.Fatalf("%v, %v: want the database and its log", names, err)
	}
	for _, n := range names {
		if info, err := n.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", n.Name(), info.Mode(), err)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.OpenSQLite(t.Context(), path); err == nil || !strings.Contains(err.Error(), "open to others") {
		t.Errorf("a file that others can read: %v", err)
	}
	if _, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(d, "no", "such.db")); err == nil {
		t.Error("a file in no directory is opened")
	}
	text := filepath.Join(d, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.OpenSQLite(t.Context(), text); err == nil {
		t.Error("a file that is no database is opened")
	}
}

// A schema of a newer version is refused and left as it is.
func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "newer.db")
	_ = sqlite(t, path).Close()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE stile_schema SET version = 2"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.OpenSQLite(t.Context(), path); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("SQLite: %v", err)
	}
	address := database(t)
	postgres(t, address)
	execute(t, address, "UPDATE stile_schema SET version = 2")
	if _, err := sqlstore.OpenPostgres(t.Context(), address); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("PostgreSQL: %v", err)
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
		_, err := sqlstore.OpenPostgres(ctx, address)
		cancel()
		if err == nil || storage.IsAnswer(err) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("OpenPostgres: %v", err)
		}
	}
}
