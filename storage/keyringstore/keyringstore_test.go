package keyringstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/sealed"
	"github.com/stile-oauth/stile/storage/storetest"
)

func dir(t *testing.T) string {
	t.Helper()
	d := filepath.Join(t.TempDir(), "store")
	for p := filepath.Dir(d); p != os.TempDir() && p != filepath.Dir(p); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o700); err != nil {
			break
		}
	}
	return d
}

// withKeyring puts a keyring in memory in the place of the system's; err, if
// not nil, is what it answers to everything.
func withKeyring(t *testing.T, err error) {
	t.Helper()
	keyring.MockInit()
	if err != nil {
		keyring.MockInitWithError(err)
	}
}

var errNoBus = errors.New("no session bus")

var k = states.Key{Kind: states.KindCredential, Subject: "alice", Name: "https://mcp.example/"}

func seal(t *testing.T, inner storage.Store, o keyringstore.Options) (*keyringstore.Store, keyringstore.Notice) {
	t.Helper()
	s, n, err := keyringstore.Seal(t.Context(), inner, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, n
}

func put(t *testing.T, s storage.Store, v string, g states.Generation) states.Generation {
	t.Helper()
	g, err := s.Put(t.Context(), k, []byte(v), g, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func want(t *testing.T, s storage.Store, v string) {
	t.Helper()
	e, err := s.Get(t.Context(), k)
	if err != nil || string(e.Value) != v {
		t.Fatalf("Get = %q, %v; want %q", e.Value, err, v)
	}
}

func pass(p string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return p, nil }
}

func TestContractOfTheDefault(t *testing.T) {
	withKeyring(t, nil)
	open := func(t *testing.T, d string) storage.Store {
		s, n, err := keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: d})
		if err != nil || n != "" {
			t.Fatalf("OpenDefault: notice %q, %v", n, err)
		}
		return s
	}
	storetest.Run(t, func(t *testing.T) storage.Store { return open(t, dir(t)) },
		storetest.Pair(func(t *testing.T) (storage.Store, storage.Store) {
			d := dir(t)
			return open(t, d), open(t, d)
		}))
}

func TestKeyInTheKeyring(t *testing.T) {
	withKeyring(t, nil)
	d := dir(t)
	o := keyringstore.Options{Dir: d}
	s, notice, err := keyringstore.OpenDefault(t.Context(), o)
	if err != nil || notice != "" {
		t.Fatalf("OpenDefault: notice %q, %v", notice, err)
	}
	put(t, s, "token", 0)
	again, _, err := keyringstore.OpenDefault(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want(t, again, "token")
	if left, _ := filepath.Glob(filepath.Join(d, "*.key")); len(left) != 0 {
		t.Errorf("key files beside the keyring: %v", left)
	}

	// The keyring is out of reach: an error that says so and how to go on, and
	// no other key.
	withKeyring(t, errNoBus)
	_, _, err = keyringstore.OpenDefault(t.Context(), o)
	none := (*keyringstore.NoKeyringError)(nil)
	if !errors.As(err, &none) || !errors.Is(err, errNoBus) {
		t.Fatalf("without the keyring: %v", err)
	}
	for _, say := range []string{"key file", "passphrase", "keyring", "unlock"} {
		if !strings.Contains(err.Error(), say) {
			t.Errorf("%q does not say %q", err, say)
		}
	}
	// A keyring that lost the key.
	withKeyring(t, nil)
	if _, _, err = keyringstore.OpenDefault(t.Context(), o); !errors.Is(err, keyringstore.ErrNoItem) || !strings.Contains(err.Error(), "rekey the store to a key file there") {
		t.Fatalf("with an empty keyring: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(d, "*.key")); len(left) != 0 {
		t.Errorf("a key was made in the place of the lost one: %v", left)
	}
}

func TestKeyFileWhereNoKeyringIs(t *testing.T) {
	withKeyring(t, errNoBus)
	d := dir(t)
	s, notice, err := keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: d})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "token", 0)
	left, _ := filepath.Glob(filepath.Join(d, "sealing-*.key"))
	if len(left) != 1 || !strings.Contains(string(notice), left[0]) || !strings.Contains(string(notice), "no keyring") {
		t.Fatalf("key files %v, notice %q", left, notice)
	}
	if info, err := os.Stat(left[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key file: %v, %v", info.Mode(), err)
	}
	again, notice, err := keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: d})
	if err != nil || notice == "" {
		t.Fatalf("opened again: notice %q, %v", notice, err)
	}
	want(t, again, "token")

	// A key file that was asked for needs no notice; asking for the keyring is an error.
	if _, notice, err = keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: d, Source: keyringstore.KeyFile}); err != nil || notice != "" {
		t.Errorf("asked for: notice %q, %v", notice, err)
	}
	if _, _, err = keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: d, Source: keyringstore.Keyring}); err == nil || !strings.Contains(err.Error(), "rekey") {
		t.Errorf("from the keyring: %v", err)
	}
	for _, c := range []struct {
		name string
		do   func() error
		say  string
	}{
		{"readable by others", func() error { return os.Chmod(left[0], 0o640) }, "open to others"},
		{"damaged", func() error { _ = os.Chmod(left[0], 0o600); return os.WriteFile(left[0], []byte("x"), 0o600) }, "not the text"},
		{"another key", func() error { return os.WriteFile(left[0], []byte(sealed.NewKey().Text()), 0o600) }, "holds the key"},
		{"gone", func() error { return os.Remove(left[0]) }, "in a key file"},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if _, _, err = keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: d}); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want %q", c.name, err, c.say)
		}
	}
}

func TestNamedKeyFile(t *testing.T) {
	withKeyring(t, errNoBus)
	d := dir(t)
	file := filepath.Join(filepath.Dir(d), "my.key")
	o := keyringstore.Options{Dir: d, KeyFile: file}
	m := storage.NewMemory()
	s, notice := seal(t, m, o)
	put(t, s, "token", 0)
	if notice != "" {
		t.Errorf("notice %q for a file that was named", notice)
	}
	// The same file serves another store, and a process elsewhere.
	other := storage.NewMemory()
	seal(t, other, o)
	again, _ := seal(t, m, o)
	want(t, again, "token")
	if _, err := keyringstore.ReadKeyFile(file); err != nil {
		t.Error(err)
	}
	// Where there is no place for key files, none is made up.
	none := (*keyringstore.NoKeyringError)(nil)
	if _, _, err := keyringstore.Seal(t.Context(), storage.NewMemory(), keyringstore.Options{}); !errors.As(err, &none) {
		t.Errorf("no keyring and no place for a file: %v", err)
	}
}

func TestPassphrase(t *testing.T) {
	defer keyringstore.FastPassphrases()()
	withKeyring(t, errNoBus)
	m := storage.NewMemory()
	s, notice := seal(t, m, keyringstore.Options{Passphrase: pass("correct horse")})
	if notice != "" {
		t.Errorf("notice %q", notice)
	}
	put(t, s, "token", 0)
	again, _ := seal(t, m, keyringstore.Options{Source: keyringstore.Passphrase, Passphrase: pass("correct horse")})
	want(t, again, "token")
	for _, c := range []struct {
		o   keyringstore.Options
		say string
	}{
		{keyringstore.Options{Passphrase: pass("wrong")}, "not the passphrase"},
		{keyringstore.Options{Passphrase: pass("")}, "empty"},
		{keyringstore.Options{}, "none was given"},
		{keyringstore.Options{Source: keyringstore.Passphrase}, "none was given"},
		{keyringstore.Options{Passphrase: func(context.Context) (string, error) { return "", errors.New("no terminal") }}, "no terminal"},
	} {
		if _, _, err := keyringstore.Seal(t.Context(), m, c.o); err == nil || !strings.Contains(err.Error(), c.say) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%v, want %q", err, c.say)
		}
	}
}

// Somebody who can write to the store cannot make it derive a key cheaply.
func TestCheapPassphraseIsRefused(t *testing.T) {
	withKeyring(t, errNoBus)
	undo := keyringstore.FastPassphrases()
	m := storage.NewMemory()
	seal(t, m, keyringstore.Options{Passphrase: pass("correct horse")})
	undo()
	if _, _, err := keyringstore.Seal(t.Context(), m, keyringstore.Options{Passphrase: pass("correct horse")}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("1000 iterations: %v", err)
	}
}

// The record of keys: damage and newer versions are reported, and destroy nothing.
func TestRecordOfKeys(t *testing.T) {
	withKeyring(t, nil)
	at := states.Key{Kind: sealed.KindKeys, Name: "keys"}
	const broken, one = "it is not the list of sealing keys", `"keys":[{"id":"x","source":"keyring"}]}`
	for v, say := range map[string]string{
		"": broken, "{}": broken, `{"version":1,"keys":[]}`: broken, `{"version":0,` + one: broken, `{"version":1,` + one + " x": broken,
		`{"version":2,` + one: "does not know", `{"version":1,"keys":[{"id":"x","source":"moon"}]}`: `"moon"`,
	} {
		m := storage.NewMemory()
		if _, err := m.Put(t.Context(), at, []byte(v), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := keyringstore.Seal(t.Context(), m, keyringstore.Options{}); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("a record of %q: %v, want %q", v, err, say)
		}
		if e, err := m.Get(t.Context(), at); err != nil || string(e.Value) != v {
			t.Errorf("a record of %q became %q, %v", v, e.Value, err)
		}
	}
}

// Many processes that begin one store at once end up with one key.
func TestBeginTogether(t *testing.T) {
	for _, err := range []error{nil, errNoBus} {
		withKeyring(t, err)
		d := dir(t)
		var wg sync.WaitGroup
		stores := make([]storage.Store, 8)
		errs := make([]error, len(stores))
		for i := range stores {
			wg.Go(func() { stores[i], _, errs[i] = keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: d}) })
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		put(t, stores[0], "token", 0)
		for _, s := range stores {
			want(t, s, "token")
		}
		if left, _ := filepath.Glob(filepath.Join(d, "*.key")); err != nil && len(left) != 1 {
			t.Errorf("key files: %v", left)
		}
	}
}

func TestRekey(t *testing.T) {
	defer keyringstore.FastPassphrases()()
	withKeyring(t, errNoBus)
	d := dir(t)
	files, err := filestore.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	o := keyringstore.Options{Dir: d}
	s, _ := seal(t, files, o)
	put(t, s, "token", 0)
	running, _ := seal(t, files, o) // a process that goes on with what it knows

	// From the key file to the keyring, now that there is one.
	withKeyring(t, nil)
	r, notice, err := s.Rekey(t.Context(), keyringstore.Options{Source: keyringstore.Keyring})
	if err != nil || r.Sealed != 1 || notice != "" {
		t.Fatalf("Rekey = %+v, %q, %v", r, notice, err)
	}
	want(t, s, "token")
	want(t, running, "token")
	fresh, notice := seal(t, files, keyringstore.Options{Dir: d, Source: keyringstore.Keyring})
	want(t, fresh, "token")
	if notice != "" {
		t.Errorf("notice %q with the key in the keyring", notice)
	}
	// The running process has found the new key, and seals with it.
	e, err := running.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	put(t, running, "token 2", e.Generation)
	if r, err := fresh.Store.Rekey(t.Context()); err != nil || r.Current != 1 {
		t.Errorf("what the running process wrote is sealed with the older key: %+v, %v", r, err)
	}

	// On to a passphrase; the first key is then forgotten.
	if r, _, err = fresh.Rekey(t.Context(), keyringstore.Options{Passphrase: pass("correct horse")}); err != nil || r.Sealed != 1 {
		t.Fatalf("Rekey = %+v, %v", r, err)
	}
	last, _ := seal(t, files, keyringstore.Options{Passphrase: pass("correct horse")})
	want(t, last, "token 2")
	rec, err := files.Get(t.Context(), states.Key{Kind: sealed.KindKeys, Name: "keys"})
	if err != nil || strings.Count(string(rec.Value), `"id"`) != 2 || strings.Contains(string(rec.Value), "keyfile") {
		t.Errorf("the record of keys is %s, %v", rec.Value, err)
	}
}
