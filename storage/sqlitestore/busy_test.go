package sqlitestore_test

import (
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
	for what, err := range map[string]error{"Lease": leaseErr, "Put": putErr, "Release": s.Release(t.Context(), k, 1), "Purge": s.Purge(t.Context())} {
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
