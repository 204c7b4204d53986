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

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/sqlitestore"
)

func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// A writer that takes longer than SQLite itself waits delays a write, which succeeds
// afterwards.
func TestWaitsForAnotherWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "busy.db")
	s := open(t, path)
	tx, err := raw(t, path).Begin()
	if err != nil {
		t.Fatal(err)
	}
	put := make(chan error, 1)
	go func() {
		_, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
		put <- err
	}()
	select {
	case err := <-put:
		t.Errorf("while another writes: %v", err)
	case <-time.After(300 * time.Millisecond): // three times what SQLite waits
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-put; err != nil {
		t.Error(err)
	}
}

// A wait for another writer has an end, and the end of the context is one. Neither is an
// answer.
func TestWaitHasAnEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "locked.db")
	s := open(t, path)
	tx, err := raw(t, path).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	put := func(ctx context.Context) error {
		_, err := s.Put(ctx, k, []byte("v"), 0, time.Time{})
		return err
	}
	defer sqlitestore.BusyFor(50 * time.Millisecond)()
	if err := put(t.Context()); storage.IsAnswer(err) || !strings.Contains(err.Error(), "other processes have it locked for more than 50ms") {
		t.Errorf("while another writes: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := put(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("at the end of the context: %v", err)
	}
}

// SQLite calls the end of a context an interruption; the caller is told what it is.
func TestInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slow.db")
	s := open(t, path)
	if _, err := raw(t, path).Exec(`
		CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;
		CREATE TRIGGER slow BEFORE INSERT ON stile_entry BEGIN SELECT COUNT(*) FROM endless; END`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Put(ctx, k, []byte("v"), 0, time.Time{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put: %v", err)
	}
}

// Only what changes something draws a number, and without a new number nothing is
// written.
func TestNumbers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "numbers.db")
	s := open(t, path)
	db := raw(t, path)
	last := func() (n int) {
		t.Helper()
		if err := db.QueryRow(`SELECT last FROM stile_number`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	before := last()
	if _, err := s.Put(t.Context(), k, []byte("w"), 0, time.Time{}); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Put over an entry that is there: %v", err)
	}
	if err := s.Delete(t.Context(), k, g); err != nil {
		t.Error(err)
	}
	if n := last(); n != before {
		t.Errorf("%d numbers were drawn", n-before)
	}
	if _, err := db.Exec(`CREATE TRIGGER none BEFORE UPDATE ON stile_number BEGIN SELECT RAISE(ABORT, 'no number is left'); END`); err != nil {
		t.Fatal(err)
	}
	if g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err == nil || !strings.Contains(err.Error(), "no number is left") {
		t.Errorf("Put without a number: %d, %v", g, err)
	}
}

// A row that cannot be used does not keep a connection.
func TestRefusedRowsKeepNoConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	s := open(t, path)
	for _, account := range []string{"a", "b"} {
		own := k
		own.Account = account
		if _, err := s.Put(t.Context(), own, []byte("v"), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := raw(t, path).Exec(`UPDATE stile_entry SET key = substr(key, 2)`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for range 20 {
		_, err := s.List(ctx, k.Tenant, k.Subject)
		if err == nil || !strings.Contains(err.Error(), "not an encoded key") {
			t.Fatalf("List: %v", err)
		}
	}
}

// What expired is removed from the file.
func TestPurge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "purge.db")
	s := open(t, path)
	if _, err := s.Put(t.Context(), k, []byte("kept"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	db := raw(t, path)
	if _, err := db.Exec(`INSERT INTO stile_entry (id, owner, key, value, generation, expires) SELECT 'old', owner, key, value, 1, 1 FROM stile_entry`); err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.QueryRow(`SELECT COUNT(*) FROM stile_entry`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d entries are left, %v", n, err)
	}
}

// A database that fails is not taken for an answer.
func TestBrokenTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broken.db")
	s := open(t, path)
	g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw(t, path).Exec(`ALTER TABLE stile_lease RENAME TO lost; ALTER TABLE stile_number RENAME TO gone`); err != nil {
		t.Fatal(err)
	}
	_, leaseErr := s.Lease(t.Context(), k, time.Minute)
	_, putErr := s.Put(t.Context(), k, []byte("w"), g, time.Time{})
	_, getErr := s.Get(t.Context(), k)
	for what, err := range map[string]error{"Get": getErr, "Lease": leaseErr, "Put": putErr, "Release": s.Release(t.Context(), k, 1), "Purge": s.Purge(t.Context())} {
		if err == nil || storage.IsAnswer(err) || errors.Is(err, storage.ErrHeld) || !strings.Contains(err.Error(), "no such table") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Each bit of the mode that lets others in is noticed.
func TestEveryBitOfTheMode(t *testing.T) {
	if os.PathSeparator != '/' {
		t.Skip("mode bits say nothing here")
	}
	path := filepath.Join(t.TempDir(), "modes.db")
	_ = open(t, path).Close()
	for bit := os.FileMode(0o100); bit > 0; bit >>= 1 {
		if err := os.Chmod(path, 0o600|bit); err != nil {
			t.Fatal(err)
		}
		s, err := sqlitestore.Open(t.Context(), path)
		if err == nil {
			_ = s.Close()
		}
		if (err == nil) != (bit == 0o100) {
			t.Errorf("mode %v: %v", 0o600|bit, err)
		}
	}
}
