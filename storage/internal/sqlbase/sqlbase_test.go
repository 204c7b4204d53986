package sqlbase_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/pgstore"
	"github.com/stile-oauth/stile/storage/sqlitestore"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

func TestMain(m *testing.M) { os.Exit(realservers.Main(m)) }

// sqlStore is what both packages open.
type sqlStore interface {
	storage.Store
	Purge(context.Context) error
	Close() error
}

// onBoth runs a test on a new database of each kind. Each call of open is a
// process of its own; exec runs a statement behind their backs.
func onBoth(t *testing.T, test func(t *testing.T, open func() (sqlStore, error), exec func(statement string))) {
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "new.db")
		db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)") // a store sweeps beside it
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		test(t, func() (sqlStore, error) { return sqlitestore.Open(t.Context(), path) }, func(statement string) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		address := realservers.Database(t)
		test(t, func() (sqlStore, error) { return pgstore.Open(t.Context(), address) }, func(statement string) {
			t.Helper()
			realservers.Execute(t, address, statement)
		})
	})
}

var k = states.Key{Kind: states.KindCredential, Tenant: "acme", Subject: "alice", Name: "https://mcp.example/"}

// Many processes that open one new database at once all succeed.
func TestOpenTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() (sqlStore, error), _ func(string)) {
		var wg sync.WaitGroup
		errs, gens := make([]error, 8), make([]states.Generation, 8)
		for i := range errs {
			wg.Go(func() {
				var s sqlStore
				if s, errs[i] = open(); errs[i] != nil {
					return
				}
				defer s.Close()
				own := k
				own.Account = string(rune('a' + i))
				gens[i], errs[i] = s.Put(t.Context(), own, []byte("v"), 0, time.Time{})
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

// Expired entries are removed, and no number comes back.
func TestPurge(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() (sqlStore, error), _ func(string)) {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
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
