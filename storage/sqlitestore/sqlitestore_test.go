package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/sqlitestore"
	"github.com/stile-oauth/stile/storage/storetest"
)

func open(t *testing.T, path string) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestContract(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a file?with=odd&letters#%41.db")
	s := open(t, path)
	storetest.Run(t, func(t *testing.T) storage.Store { return s },
		storetest.Pair(func(t *testing.T) (storage.Store, storage.Store) { return s, open(t, path) }),
		storetest.Broken(func(t *testing.T) storage.Store {
			path := filepath.Join(t.TempDir(), "gone.db")
			s := open(t, path)
			if err := os.Remove(path); err != nil {
				t.Skipf("an open file cannot be removed here: %v", err)
			}
			return s
		}))
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the database is somewhere else: %v", err)
	}
}

var k = states.Key{Kind: states.KindCredential, Tenant: "acme", Subject: "alice", Name: "https://mcp.example/"}

// A writer that hangs delays others until their context ends.
func TestWaitIsCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "locked.db")
	s := open(t, path)
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

func TestFile(t *testing.T) {
	d := t.TempDir()
	path := filepath.Join(d, "new.db")
	s := open(t, path)
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
	if _, err := sqlitestore.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "open to others") {
		t.Errorf("a file that others can read: %v", err)
	}
	if _, err := sqlitestore.Open(t.Context(), filepath.Join(d, "no", "such.db")); err == nil {
		t.Error("a file in no directory is opened")
	}
	text := filepath.Join(d, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlitestore.Open(t.Context(), text); err == nil {
		t.Error("a file that is no database is opened")
	}
}

// A schema of a newer version is refused and left as it is.
func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "newer.db")
	_ = open(t, path).Close()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE stile_schema SET version = 2"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlitestore.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a newer schema: %v", err)
	}
}
