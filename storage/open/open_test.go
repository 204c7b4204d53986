package open_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/open"
	"github.com/stile-oauth/stile/storage/sealed"
	"github.com/stile-oauth/stile/storage/storetest"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

func TestMain(m *testing.M) { os.Exit(realservers.Main(m)) }

// private gives a directory that only we can enter, below such directories.
func private(t *testing.T) string {
	t.Helper()
	d := t.TempDir()
	for p := d; p != os.TempDir() && p != filepath.Dir(p); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o700); err != nil {
			break
		}
	}
	return d
}

var k = states.Key{Kind: states.KindCredential, Subject: "alice", Name: "https://mcp.example/"}

// specs gives one text for every kind of store, on new ground.
func specs(t *testing.T) []string {
	d := private(t)
	t.Setenv("XDG_STATE_HOME", filepath.Join(d, "state"))
	t.Setenv("STILE_TEST_STORE", "sqlite:"+filepath.Join(d, "env.db"))
	return []string{
		"", "file:" + filepath.Join(d, "files"), "sqlite:" + filepath.Join(d, "a.db"), "env:STILE_TEST_STORE",
		realservers.Postgres(t), realservers.Redis(t),
	}
}

func TestEveryKind(t *testing.T) {
	keyring.MockInit()
	for _, text := range specs(t) {
		kind, err := open.Kind(text, os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(kind, func(t *testing.T) {
			s, closing, notice, err := open.Open(t.Context(), text, open.Options{Getenv: os.Getenv})
			if err != nil {
				t.Fatal(err)
			}
			shared := kind == "postgres" || kind == "redis"
			if strings.Contains(string(notice), "this machine only") != shared || strings.HasPrefix(string(notice), " ") {
				t.Errorf("notice %q", notice)
			}
			g, err := s.Put(t.Context(), k, []byte("a refresh token"), 0, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if err := closing(); err != nil {
				t.Fatal(err)
			}
			s, closing, _, err = open.Open(t.Context(), text, open.Options{Getenv: os.Getenv})
			if err != nil {
				t.Fatal(err)
			}
			if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "a refresh token" || e.Generation != g {
				t.Fatalf("opened again: %q, %v", e.Value, err)
			}
			if keys, err := s.(storage.Lister).List(t.Context(), "", "alice"); err != nil || len(keys) != 1 || keys[0] != k {
				t.Errorf("List = %v, %v", keys, err)
			}
			if err := closing(); err != nil {
				t.Fatal(err)
			}
			if _, _, _, err := open.Open(t.Context(), text, open.Options{Unsealed: true, Getenv: os.Getenv}); err == nil || !strings.Contains(err.Error(), "sealed") {
				t.Errorf("a sealed store opened unsealed: %v", err)
			}
		})
	}
}

// The contract once more, sealed, on the servers that replicas would share.
func TestContractSealedOverServers(t *testing.T) {
	keyring.MockInitWithError(errors.New("none"))
	file := filepath.Join(private(t), "shared.key")
	if err := keyringstore.WriteKeyFile(file, sealed.NewKey()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"redis:" + realservers.Redis(t), "postgres:" + realservers.Postgres(t)} {
		kind, err := open.Kind(text, os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(kind, func(t *testing.T) {
			replica := func(t *testing.T) storage.Store {
				o := open.Options{RedisPrefix: "sealed:"}
				o.Sealing.KeyFile = file
				o.Sealing.Dir = t.TempDir()
				s, closing, notice, err := open.Open(t.Context(), fresh(t, text), o)
				if err != nil || notice != "" {
					t.Fatalf("notice %q, %v", notice, err)
				}
				t.Cleanup(func() { _ = closing() })
				return s
			}
			storetest.Run(t, replica, storetest.Pair(func(t *testing.T) (storage.Store, storage.Store) { return replica(t), replica(t) }))
		})
	}
}

func TestMemoryIsNotSealed(t *testing.T) {
	s, closing, notice, err := open.Open(t.Context(), "memory", open.Options{Getenv: os.Getenv})
	if err != nil || notice != "" {
		t.Fatalf("notice %q, %v", notice, err)
	}
	if _, ok := s.(*storage.Memory); !ok {
		t.Errorf("memory is %T", s)
	}
	if err := closing(); err != nil {
		t.Error(err)
	}
}

func TestUnsealed(t *testing.T) {
	keyring.MockInit()
	text := "file:" + filepath.Join(private(t), "files")
	s, _, notice, err := open.Open(t.Context(), text, open.Options{Unsealed: true, Getenv: os.Getenv})
	if err != nil || !strings.Contains(string(notice), "unencrypted") {
		t.Fatalf("notice %q, %v", notice, err)
	}
	if _, err := s.Put(t.Context(), k, []byte("plain"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	// Sealed from now on: what was kept before is neither read nor lost.
	s, _, _, err = open.Open(t.Context(), text, open.Options{Getenv: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), k); !errors.Is(err, sealed.ErrNotSealed) {
		t.Errorf("Get of a plain entry through the seal: %v", err)
	}
}

// Sealed means: no byte of the value is in the files.
func TestNothingInTheClear(t *testing.T) {
	keyring.MockInit()
	d := private(t)
	for _, text := range []string{"file:" + filepath.Join(d, "files"), "sqlite:" + filepath.Join(d, "a.db")} {
		s, closing, _, err := open.Open(t.Context(), text, open.Options{Getenv: os.Getenv})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), k, []byte("a refresh token"), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := closing(); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	err := filepath.WalkDir(d, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		seen++
		if bytes.Contains(b, []byte("refresh")) {
			t.Errorf("%s holds the value", p)
		}
		return err
	})
	if err != nil || seen < 4 {
		t.Fatalf("%d files, %v", seen, err)
	}
}

// The package itself does not read the environment.
func TestEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("STILE_TEST_STORE", "memory")
	if _, _, _, err := open.Open(t.Context(), "env:STILE_TEST_STORE", open.Options{}); err == nil || !strings.Contains(err.Error(), "STILE_TEST_STORE") {
		t.Errorf("env:NAME without Getenv: %v", err)
	}
}

func TestTextsThatNameNoStore(t *testing.T) {
	t.Setenv("STILE_TEST_LOOP", "env:STILE_TEST_LOOP")
	t.Setenv("STILE_TEST_ODD", "mysql://u:hunter2@host/db")
	for _, text := range []string{
		":", "file:", "sqlite:", "env:", "memory:", "memory:x", "postgres:", "redis:", "rediss:host", "redis+cluster:host",
		"mysql://u:hunter2@host/db", "nonsense", "env:STILE_TEST_NOT_SET", "env:STILE_TEST_LOOP", "env:STILE_TEST_ODD",
		"postgres:hunter2", "redis:hunter2", "redis://:hunter2@127.0.0.1:port",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, _, _, err := open.Open(ctx, text, open.Options{Getenv: os.Getenv})
		cancel()
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q): %v", text, err)
		}
	}
}

// fresh gives a text for the server that other tests do not share: for PostgreSQL
// with a schema of its own; for Redis the prefix is enough.
func fresh(t *testing.T, text string) string {
	t.Helper()
	if !strings.HasPrefix(text, "postgres:") {
		return text
	}
	realservers.Execute(t, realservers.Postgres(t), "CREATE SCHEMA IF NOT EXISTS sealed")
	return strings.Replace(text, "?", "?search_path=sealed&", 1)
}
