package attack_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/sealed"
	"github.com/stile-oauth/stile/storage/sqlitestore"
)

// kept is what the stores of these worlds hold.
var (
	kept    = states.Key{Kind: states.KindCredential, Name: "https://mcp.example/mcp", Subject: "somebody"}
	keptAs  = []byte(`{"version":1,"current":{"access_token":"at-0123456789","refresh_token":"rt-0123456789"}}`)
	another = states.Key{Kind: states.KindCredential, Name: "https://mcp.example/mcp", Subject: "another"}
)

// damages tries damaged copies of some bytes: with a bit flipped, or with the end cut
// off, at every step-th byte.
func damages(whole []byte, step int, try func(what string, at int, damaged []byte)) {
	bits := [...]byte{0x01, 0x20, 0x80}
	for at := 0; at < len(whole); at += step {
		b := bytes.Clone(whole)
		b[at] ^= bits[at%len(bits)]
		try("flipped", at, b)
		try("cut", at, whole[:at])
	}
}

// fill writes two entries.
func fill(t *testing.T, s storage.Store) {
	t.Helper()
	for _, k := range []states.Key{kept, another} {
		if _, err := s.Put(t.Context(), k, keptAs, 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
}

func underSeal(t *testing.T, inner storage.Store) storage.Store {
	t.Helper()
	key, err := sealed.KeyFromBytes([]byte("32 bytes that are only for tests."[:32]))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sealed.New(inner, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDamagedFiles flips and cuts the files of the file store at every byte. What was
// stored is read as it was, or not at all, and what cannot be read is not called missing.
func TestDamagedFiles(t *testing.T) {
	step := 37
	if long {
		step = 1
	}
	for _, seal := range []bool{false, true} {
		dir := filepath.Join(inMemory(t), "store")
		files, err := filestore.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		var s storage.Store = files
		if seal {
			s = underSeal(t, files)
		}
		fill(t, s)
		tried := 0
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			whole, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			damages(whole, step, func(what string, at int, damaged []byte) {
				tried++
				if err := os.WriteFile(path, damaged, 0o600); err != nil {
					t.Fatal(err)
				}
				for _, k := range []states.Key{kept, another} {
					e, err := s.Get(t.Context(), k)
					if err == nil && !bytes.Equal(e.Value, keptAs) || errors.Is(err, storage.ErrNotFound) {
						t.Errorf("%s %s at %d: %q, %v", filepath.Base(path), what, at, e.Value, err)
					}
				}
			})
			return os.WriteFile(path, whole, 0o600)
		})
		if err != nil || tried < 30 {
			t.Fatalf("%d damages tried: %v", tried, err)
		}
		if e, err := s.Get(t.Context(), kept); err != nil || !bytes.Equal(e.Value, keptAs) {
			t.Errorf("after all of it: %q, %v", e.Value, err)
		}
	}
}

// TestAlteredEnvelopes does the same with sealed values in a store that notices nothing.
func TestAlteredEnvelopes(t *testing.T) {
	inner := storage.NewMemory()
	s := underSeal(t, inner)
	fill(t, s)
	e, err := inner.Get(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	at := e.Generation
	damages(e.Value, 1, func(what string, n int, damaged []byte) {
		if at, err = inner.Put(t.Context(), kept, damaged, at, time.Time{}); err != nil {
			t.Fatal(err)
		}
		var unreadable *storage.UnreadableError
		if got, err := s.Get(t.Context(), kept); !errors.As(err, &unreadable) {
			t.Errorf("%s at %d: %q, %v", what, n, got.Value, err)
		}
	})
}

// TestDamagedDatabase flips and cuts a SQLite file. Its pages have no checksum, so an
// entry may be gone; what is read of a sealed one is what was stored.
func TestDamagedDatabase(t *testing.T) {
	step := 1499
	if long {
		step = 7
	}
	damagedDatabase(t, step)
}

// smallPages makes a database whose pages are an eighth of their usual size. They hold
// the same, and the space between is not worth a try at every byte.
func smallPages(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "PRAGMA page_size = 512; CREATE TABLE x (y); DROP TABLE x; VACUUM"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Close(), os.Chmod(path, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func damagedDatabase(t *testing.T, step int) {
	t.Helper()
	first := filepath.Join(t.TempDir(), "s.db")
	if step == 1 {
		smallPages(t, first)
	}
	db, err := sqlitestore.Open(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, underSeal(t, db))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a file of %d bytes", len(whole))
	dir := inMemory(t)
	path := filepath.Join(dir, "s.db")
	damages(whole, step, func(what string, at int, damaged []byte) {
		for _, old := range []string{path, path + "-wal", path + "-shm", path + "-journal"} {
			if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := sqlitestore.Open(t.Context(), path)
		if err != nil {
			return // it says so
		}
		defer func() { _ = db.Close() }()
		s := underSeal(t, db)
		for _, k := range []states.Key{kept, another} {
			if e, err := s.Get(t.Context(), k); err == nil && !bytes.Equal(e.Value, keptAs) {
				t.Errorf("%s at %d: %q", what, at, e.Value)
			}
		}
	})
}
