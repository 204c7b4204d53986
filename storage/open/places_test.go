package open_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/open"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

func TestKinds(t *testing.T) {
	env := map[string]string{"NAME": "sqlite:x", "LOOP": "env:NAME", "ODD": "mysql://u:hunter2@host/db"}
	getenv := func(name string) string { return env[name] }
	for text, want := range map[string]string{
		"": "file", "file": "file", "file:x": "file", "sqlite:x": "sqlite", "memory": "memory", "env:NAME": "sqlite",
		"postgres:host=h": "postgres", "postgres://h/d": "postgres", "postgresql://h/d": "postgres",
		"redis:redis://h": "redis", "redis://h": "redis", "rediss://h": "redis", "redis+cluster://h": "redis", "rediss+cluster://h": "redis", "unix:///run/redis": "redis",
	} {
		if kind, err := open.Kind(text, getenv); err != nil || kind != want {
			t.Errorf("Kind(%q) = %q, %v; want %q", text, kind, err, want)
		}
	}
	for _, text := range []string{
		":", ":x", "file:", "sqlite:", "env:", "memory:", "memory:x", "postgres:", "postgresql:", "redis:", "rediss:", "rediss:host", "redis+cluster:host",
		"rediss+cluster:host", "unix:/run/redis", "mysql://u:hunter2@host/db", "nonsense", "env:LOOP", "env:ODD",
	} {
		if kind, err := open.Kind(text, getenv); kind != "" || !errors.Is(err, open.ErrSpec) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Kind(%q) = %q, %v", text, kind, err)
		}
	}
	for say, getenv := range map[string]func(string) string{`"NONE", which is to name the store, is not set`: getenv, "does not read (Options.Getenv)": nil} {
		if kind, err := open.Kind("env:NONE", getenv); kind != "" || err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("a variable that tells nothing: %q, %v; want %q", kind, err, say)
		}
	}
}

// Where no keyring answers, the key is kept beside the entries or, for a server, where
// this user keeps such things. The notice depends on whether that was asked for.
func TestWhereTheKeyIs(t *testing.T) {
	keyring.MockInitWithError(errors.New("no session bus"))
	const shared, onDisk = "on this machine only", "no keyring answered"
	for _, c := range []struct {
		name  string
		text  func(d string) string
		o     func(d string, o *open.Options)
		where string // the directory of the key, below d
		says  []string
	}{
		{"files", func(d string) string { return "file:" + d + "/files" }, func(string, *open.Options) {}, "files", []string{onDisk}},
		{"SQLite", func(d string) string { return "sqlite:" + d + "/a.db" }, func(string, *open.Options) {}, "", []string{onDisk}},
		{"SQLite, and a directory for keys", func(d string) string { return "sqlite:" + d + "/a.db" },
			func(d string, o *open.Options) { o.Sealing.Dir = d + "/mine" }, "mine", []string{onDisk}},
		{"a server", func(string) string { return realservers.Redis(t) }, func(string, *open.Options) {}, "state/stile/keys", []string{onDisk, shared}},
		{"a server, and a directory for keys", func(string) string { return realservers.Redis(t) },
			func(d string, o *open.Options) { o.Sealing.Dir = d + "/mine" }, "mine", []string{onDisk, shared}},
		{"a server, by a key file", func(string) string { return realservers.Redis(t) },
			func(_ string, o *open.Options) { o.Sealing.Source = keyringstore.KeyFile }, "state/stile/keys", nil},
		{"a server, by a passphrase", func(string) string { return realservers.Redis(t) }, func(_ string, o *open.Options) {
			o.Sealing.Passphrase = func(context.Context) (string, error) { return "correct horse", nil }
		}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := private(t)
			o := open.Options{RedisPrefix: d + ":", Getenv: func(string) string { return filepath.Join(d, "state") }}
			c.o(d, &o)
			s, closing, notice, err := open.Open(t.Context(), c.text(d), o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = closing() }()
			if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
				t.Error(err)
			}
			keys, _ := filepath.Glob(filepath.Join(d, c.where, "sealing-*.key"))
			if want := 1; o.Sealing.Passphrase == nil && len(keys) != want || o.Sealing.Passphrase != nil && len(keys) != 0 {
				t.Errorf("keys: %v", keys)
			}
			for _, say := range []string{onDisk, shared} {
				wanted := strings.Contains(strings.Join(c.says, " "), say)
				if strings.Contains(string(notice), say) != wanted {
					t.Errorf("notice %q: %q %v", notice, say, !wanted)
				}
			}
			if strings.Contains(string(notice), ".The") || strings.HasPrefix(string(notice), " ") {
				t.Errorf("notice %q", notice)
			}
		})
	}
}

func in(t *testing.T, text string, o open.Options) storage.Store {
	t.Helper()
	s, closing, _, err := open.Open(t.Context(), text, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closing() })
	return s
}

func TestPrefixesKeepStoresApart(t *testing.T) {
	d := private(t)
	one := in(t, realservers.Redis(t), open.Options{Unsealed: true, RedisPrefix: d + "1:"})
	if _, err := one.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if e, err := in(t, realservers.Redis(t), open.Options{Unsealed: true, RedisPrefix: d + "2:"}).Get(t.Context(), k); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("another prefix: %q, %v", e.Value, err)
	}
}

// Without a prefix the names of keys begin with "stile:".
func TestUsualPrefix(t *testing.T) {
	u, err := url.Parse(realservers.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/5" // which no other test uses
	one := in(t, u.String(), open.Options{Unsealed: true, RedisPrefix: "stile:"})
	if _, err := one.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if e, err := in(t, u.String(), open.Options{Unsealed: true}).Get(t.Context(), k); err != nil || string(e.Value) != "v" {
		t.Errorf("%q, %v", e.Value, err)
	}
}

// Without its key a sealed store is emptied and begun anew, and nothing else.
func TestWithoutKey(t *testing.T) {
	keyring.MockInitWithError(errors.New("no session bus"))
	text := "file:" + filepath.Join(private(t), "files")
	g, err := in(t, text, open.Options{}).Put(t.Context(), k, []byte("v"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	s, ok := in(t, text, open.Options{WithoutKey: true}).(*open.Keyless)
	if !ok {
		t.Fatal("opened with a key")
	}
	var unreadable *storage.UnreadableError
	if e, err := s.Get(t.Context(), k); !errors.As(err, &unreadable) || unreadable.Generation != g {
		t.Errorf("Get: %q, %v", e.Value, err)
	}
	_, put := s.Put(t.Context(), k, nil, g, time.Time{})
	_, release := s.PutAndRelease(t.Context(), k, nil, g, time.Time{}, 1)
	for _, err := range []error{put, release} {
		if storage.IsAnswer(err) || !strings.Contains(err.Error(), "without its key") {
			t.Errorf("a write: %v", err)
		}
	}
	if done, err := s.Forget(t.Context()); err != nil || done {
		t.Errorf("Forget while an entry is there: %v, %v", done, err)
	}
	if err := s.Delete(t.Context(), k, g); err != nil {
		t.Error(err)
	}
	if done, err := s.Forget(t.Context()); err != nil || !done {
		t.Errorf("Forget: %v, %v", done, err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	address := realservers.Database(t)
	for conns, free := range map[int]int{1: 1, 0: 8} {
		s := in(t, address, open.Options{Unsealed: true, MaxConns: conns})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		got := 0
		for range 9 {
			if _, err := storage.Queue(ctx, s, false); err == nil {
				got++
			}
		}
		cancel()
		if got != free {
			t.Errorf("MaxConns %d: %d calls at once, want %d", conns, got, free)
		}
	}
}

// A store that must exist: for a server only the kind is named, because its address
// may hold a password, and no key is made. Memory always exists.
func TestMustExistElsewhere(t *testing.T) {
	keyring.MockInitWithError(errors.New("no session bus"))
	d := private(t)
	getenv := func(string) string { return filepath.Join(d, "state") }
	_, _, _, err := open.Open(t.Context(), realservers.Redis(t), open.Options{MustExist: true, RedisPrefix: d + ":", Getenv: getenv})
	if none := (*open.NoStoreError)(nil); !errors.As(err, &none) || none.Place != "redis" {
		t.Errorf("%v", err)
	}
	if left, _ := os.ReadDir(d); len(left) > 0 {
		t.Errorf("made: %v", left)
	}
	for _, text := range []string{"memory", realservers.Redis(t)} {
		_, closing, _, err := open.Open(t.Context(), text, open.Options{MustExist: true, Unsealed: text != "memory", RedisPrefix: d + ":"})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		_ = closing()
	}
}

// A store that cannot be opened says why, and is not taken for a missing one.
func TestWhatCannotBeOpened(t *testing.T) {
	keyring.MockInitWithError(errors.New("no session bus"))
	d := private(t)
	file := filepath.Join(d, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A store whose list of keys cannot be read.
	damaged := filepath.Join(d, "damaged")
	if _, _, _, err := open.Open(t.Context(), "file:"+damaged, open.Options{}); err != nil {
		t.Fatal(err)
	}
	entries, err := filepath.Glob(filepath.Join(damaged, "*", "*.entry"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	if err := os.WriteFile(entries[0], []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", "")
	for _, c := range []struct {
		name, text string
		o          open.Options
		say        string
	}{
		{"nowhere", "", open.Options{}, "HOME"},
		{"nowhere, and it must exist", "", open.Options{MustExist: true}, "HOME"},
		{"no place for the key of a server", realservers.Redis(t), open.Options{RedisPrefix: d + ":"}, "HOME"},
		{"files in a file", "file:" + file, open.Options{}, "filestore: "},
		{"SQLite below a file", "sqlite:" + file + "/a.db", open.Options{MustExist: true}, "sqlitestore: "},
		{"keys in a file", "sqlite:" + d + "/a.db", open.Options{Sealing: keyringstore.Options{Dir: file}}, "directory of the key file"},
		{"a source that is none", "sqlite:" + d + "/a.db", open.Options{Sealing: keyringstore.Options{Source: "moon"}}, `"moon"`},
		{"damaged", "file:" + damaged, open.Options{}, "cannot be read"},
		{"damaged, and it must exist", "file:" + damaged, open.Options{MustExist: true}, "cannot be read"},
		{"damaged, and not sealed", "file:" + damaged, open.Options{Unsealed: true}, "cannot be read"},
	} {
		s, closing, notice, err := open.Open(t.Context(), c.text, c.o)
		none := (*open.NoStoreError)(nil)
		if err == nil || !strings.Contains(err.Error(), c.say) || errors.As(err, &none) || s != nil || closing != nil || notice != "" {
			t.Errorf("%s: %v, %q, %v; want %q", c.name, s, notice, err, c.say)
		}
	}
}
