//go:build unix

package sqlitestore_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/sqlitestore"
)

// Whatever is in the database's place and is not a database is refused, and stays.
func TestNoDatabase(t *testing.T) {
	d := t.TempDir()
	pipe, directory, view, table := filepath.Join(d, "pipe"), filepath.Join(d, "directory"), filepath.Join(d, "view.db"), filepath.Join(d, "table.db")
	entry := filepath.Join(d, "entry.db")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, statement := range map[string]string{
		view:  `CREATE VIEW stile_lease AS SELECT 1 AS id`,
		table: `CREATE TABLE stile_schema (something TEXT)`,
		entry: `CREATE TABLE stile_entry (something TEXT)`,
	} {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, say := range map[string]string{
		pipe: "no regular file", directory: "directory", view: "Cannot add a column to a view", table: "no such column: version", entry: "no such column: owner", filepath.Join(d, "none", "a.db"): "no such file",
	} {
		s, err := sqlitestore.Open(t.Context(), path)
		if err == nil || !strings.HasPrefix(err.Error(), "sqlitestore: ") || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v, want %q", filepath.Base(path), err, say)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}

// A store whose file is gone says so, and does not write to a file that nobody sees.
func TestFileIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s := open(t, path)
	g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, get := s.Get(t.Context(), k)
	_, put := s.Put(t.Context(), k, []byte("w"), g, time.Time{})
	_, lease := s.Lease(t.Context(), k, time.Minute)
	for what, err := range map[string]error{"Get": get, "Put": put, "Lease": lease, "Delete": s.Delete(t.Context(), k, g)} {
		if storage.IsAnswer(err) || !strings.Contains(err.Error(), "the database is gone") {
			t.Errorf("%s: %v", what, err)
		}
	}

	d := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(d, 0o700); err != nil {
		t.Fatal(err)
	}
	s = open(t, filepath.Join(d, "a.db"))
	if err := os.Rename(d, d+"-moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lease(t.Context(), k, time.Minute); storage.IsAnswer(err) || !strings.Contains(err.Error(), "the database is gone") {
		t.Errorf("Lease without the directory: %v", err)
	}
}

// A new database is the user's alone, whatever the mask of the process is.
func TestModeOfANewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	defer syscall.Umask(syscall.Umask(0))
	s := open(t, path)
	if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(path + suffix); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", path+suffix, info.Mode(), err)
		}
	}
}

// A path that begins nowhere is an error that says so.
func TestNoWorkingDirectory(t *testing.T) {
	d := t.TempDir()
	t.Chdir(d)
	if err := os.Remove(d); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlitestore.Open(t.Context(), "a.db"); err == nil || !strings.Contains(err.Error(), "getwd") {
		t.Errorf("%v", err)
	}
}
