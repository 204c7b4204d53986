package sqlitestore_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/sqlitestore"
)

// A store whose file was replaced says so, and gives no lease that a process with
// the new file would not see.
func TestReplacedFile(t *testing.T) {
	d := t.TempDir()
	path := filepath.Join(d, "a.db")
	s := open(t, path)
	g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, filepath.Join(d, "old.db")+suffix); err != nil {
			t.Skipf("an open file cannot be renamed here: %v", err)
		}
	}
	other := open(t, path)
	if _, err := other.Lease(t.Context(), k, time.Minute); err != nil {
		t.Fatal(err)
	}
	_, getErr := s.Get(t.Context(), k)
	_, putErr := s.Put(t.Context(), k, []byte("w"), g, time.Time{})
	_, leaseErr := s.Lease(t.Context(), k, time.Minute)
	_, listErr := s.List(t.Context(), k.Tenant, k.Subject)
	for what, err := range map[string]error{
		"Get": getErr, "Put": putErr, "Lease": leaseErr, "List": listErr,
		"Delete": s.Delete(t.Context(), k, g), "Release": s.Release(t.Context(), k, 1),
	} {
		if err == nil || storage.IsAnswer(err) || !strings.Contains(err.Error(), "replaced") {
			t.Errorf("%s in a file that was replaced: %v", what, err)
		}
	}
}

// A directory in which others could replace the file is refused, as is one below
// such a directory.
func TestDirectory(t *testing.T) {
	if os.PathSeparator != '/' {
		t.Skip("mode bits say nothing here")
	}
	top := t.TempDir()
	below := filepath.Join(top, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[os.FileMode]bool{0o700: true, 0o755: true, 0o775: false, 0o757: false, 0o777 | os.ModeSticky: false} {
		if err := os.Chmod(below, mode); err != nil {
			t.Fatal(err)
		}
		s, err := sqlitestore.Open(t.Context(), filepath.Join(below, "a.db"))
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), below) {
			t.Errorf("in a directory of mode %v: %v", mode, err)
		}
		if err == nil {
			_ = s.Close()
		}
	}
	if err := os.Chmod(below, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(top, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlitestore.Open(t.Context(), filepath.Join(below, "a.db")); err == nil || !strings.Contains(err.Error(), top) {
		t.Errorf("below a directory of mode 0777: %v", err)
	}
}

// Every connection syncs at each commit, to the write-ahead log: a rotated refresh
// token survives a power failure.
func TestDurability(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	open(t, path)
	db, err := sql.Open("sqlite", sqlitestore.DSN(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var synchronous int
	var journal string
	if err := db.QueryRow("PRAGMA synchronous").Scan(&synchronous); err != nil || synchronous != 2 {
		t.Errorf("synchronous is %d, want 2 (FULL), %v", synchronous, err)
	}
	if err := db.QueryRow("PRAGMA journal_mode").Scan(&journal); err != nil || journal != "wal" {
		t.Errorf("journal_mode is %s, want wal, %v", journal, err)
	}
}

// A database from before leases told how long they run can be opened, and its leases
// hold.
func TestOlderLeases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "older.db")
	_ = open(t, path).Close()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("ALTER TABLE stile_lease DROP COLUMN ttl"); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	if _, err := s.Lease(t.Context(), k, time.Minute); err != nil {
		t.Errorf("Lease: %v", err)
	}
}
