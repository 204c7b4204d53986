package keyringstore_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/sealed"
	"github.com/stile-oauth/stile/storage/storetest"
)

var (
	errDown = errors.New("connection refused")
	record  = states.Key{Kind: sealed.KindKeys, Name: "keys"}
)

func putRecord(t *testing.T, s storage.Store, text string) {
	t.Helper()
	e, err := s.Get(t.Context(), record)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), record, []byte(text), e.Generation, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// says fails unless err holds the text.
func says(t *testing.T, what string, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want %q", what, err, text)
	}
}

// What the keyring answers: an item that is not the requested key is an error, a key
// that was removed is not there, and a call whose context has ended says so.
func TestItemsOfTheKeyring(t *testing.T) {
	withKeyring(t, nil)
	key := sealed.NewKey()
	for _, item := range []string{"", "x", sealed.NewKey().Text()} {
		if err := keyring.Set("stile sealing key", key.ID(), item); err != nil {
			t.Fatal(err)
		}
		_, err := keyringstore.Load(t.Context(), key.ID())
		says(t, "Load of another item", err, "is not that sealing key")
	}
	if err := keyringstore.Save(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if again, err := keyringstore.Load(t.Context(), key.ID()); err != nil || again != key {
		t.Errorf("Load = %v, %v", again, err)
	}
	if err := keyringstore.Remove(t.Context(), key.ID()); err != nil {
		t.Error(err)
	}
	if err := keyringstore.Remove(t.Context(), key.ID()); !errors.Is(err, keyringstore.ErrNoItem) {
		t.Errorf("Remove of what is not there: %v", err)
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	withKeyring(t, errNoBus)
	_, load := keyringstore.Load(left, key.ID())
	for _, err := range []error{load, keyringstore.Save(left, key), keyringstore.Remove(left, key.ID())} {
		if none := (*keyringstore.NoKeyringError)(nil); !errors.Is(err, context.Canceled) || errors.As(err, &none) {
			t.Errorf("a caller who has left: %v", err)
		}
	}
	withKeyring(t, nil)
	for range 20 { // the keyring is not even asked
		if err := keyringstore.Save(left, key); !errors.Is(err, context.Canceled) {
			t.Errorf("Save for a caller who has left: %v", err)
		}
		if _, err := keyringstore.Load(t.Context(), key.ID()); !errors.Is(err, keyringstore.ErrNoItem) {
			t.Fatalf("a caller who has left saved a key: %v", err)
		}
	}
}

// The inner store fails while a process seals, asks or rekeys: the failure is reported,
// and what was sealed can be read afterwards, by this process and by the next.
func TestStoreInsideFails(t *testing.T) {
	for _, c := range []struct {
		name   string
		fails  string // the method of the store that fails,
		at     int    // which of its calls fails
		call   func(s *keyringstore.Store, inner storage.Store, to keyringstore.Options) error
		rekeys bool
	}{
		{"Seal", "Get", 1, func(_ *keyringstore.Store, inner storage.Store, _ keyringstore.Options) error {
			_, _, err := keyringstore.Seal(t.Context(), inner, keyringstore.Options{})
			return err
		}, false},
		{"Source", "Get", 1, func(s *keyringstore.Store, _ storage.Store, _ keyringstore.Options) error {
			_, err := s.Source(t.Context())
			return err
		}, false},
		{"IsSealed", "Get", 1, func(_ *keyringstore.Store, inner storage.Store, _ keyringstore.Options) error {
			is, err := keyringstore.IsSealed(t.Context(), inner)
			if again, err := keyringstore.IsSealed(t.Context(), inner); is || !again || err != nil {
				t.Errorf("sealed: %v, then %v, %v", is, again, err)
			}
			return err
		}, false},
		{"Rekey reads the keys", "Get", 1, rekey, false},
		{"Rekey writes the keys", "Put", 1, rekey, false},
		{"Rekey lists", "Keys", 1, rekey, true},
		{"Rekey reads an entry", "Get", 2, rekey, true},
		{"Rekey writes an entry", "Put", 2, rekey, true},
		{"Rekey reads the keys again", "Get", 3, rekey, true},
		{"Rekey forgets the older keys", "Put", 3, rekey, true},
	} {
		withKeyring(t, nil)
		inner := &storetest.Failing{Memory: storage.NewMemory()}
		s, _ := seal(t, inner, keyringstore.Options{})
		put(t, s, "token", 0)
		if _, _, err := s.Rekey(t.Context(), keyringstore.Options{}); err != nil { // the next has keys to forget
			t.Fatal(err)
		}
		d, asked := made(t), 0
		inner.Before = func(method string, _ states.Key) error {
			if method == c.fails {
				if asked++; asked == c.at {
					return errDown
				}
			}
			return nil
		}
		err := c.call(s, inner, keyringstore.Options{Source: keyringstore.KeyFile, Dir: d})
		inner.Before = nil
		if !errors.Is(err, errDown) {
			t.Errorf("%s: %v", c.name, err)
		}
		want(t, s, "token")
		next, _ := seal(t, inner, keyringstore.Options{Dir: d})
		want(t, next, "token")
		is := map[bool]keyringstore.Source{true: keyringstore.KeyFile, false: keyringstore.Keyring}[c.rekeys]
		if src, err := next.Source(t.Context()); err != nil || src != is {
			t.Errorf("%s: sealed from %q, %v; want %q", c.name, src, err, is)
		}
		if made, _ := filepath.Glob(filepath.Join(d, "*.key")); !c.rekeys && len(made) > 0 {
			t.Errorf("%s left %v", c.name, made)
		}
	}
	// The first process cannot write which key there is.
	inner := &storetest.Failing{Memory: storage.NewMemory(), Before: func(method string, _ states.Key) error {
		if method == "Put" {
			return errDown
		}
		return nil
	}}
	if _, _, err := keyringstore.Seal(t.Context(), inner, keyringstore.Options{}); !errors.Is(err, errDown) {
		t.Errorf("Seal of a new store: %v", err)
	}
	if is, err := keyringstore.IsSealed(t.Context(), inner); is || err != nil {
		t.Errorf("it is sealed: %v, %v", is, err)
	}
}

func rekey(s *keyringstore.Store, _ storage.Store, to keyringstore.Options) error {
	_, _, err := s.Rekey(context.Background(), to)
	return err
}

// Of two processes that rekey at once, one gets an error and leaves no key behind.
func TestRekeyAgainstAnother(t *testing.T) {
	withKeyring(t, errNoBus)
	d := made(t)
	inner := &storetest.Failing{Memory: storage.NewMemory()}
	s, _ := seal(t, inner, keyringstore.Options{Dir: d})
	put(t, s, "token", 0)
	once(inner, "Put", 1, func() {
		other, _ := seal(t, inner, keyringstore.Options{Dir: d})
		_, notice, err := other.Rekey(t.Context(), keyringstore.Options{})
		if err != nil || !strings.Contains(string(notice), d) {
			t.Errorf("the quicker one: %q, %v", notice, err)
		}
	})
	says(t, "the slower one", rekey(s, nil, keyringstore.Options{}), "another process is rekeying")
	if made, _ := filepath.Glob(filepath.Join(d, "*.key")); len(made) != 2 {
		t.Errorf("key files: %v", made)
	}
	want(t, s, "token")
	// A rekeying that began meanwhile may need the keys that would otherwise be forgotten.
	const other = `{"version":1,"keys":[{"id":"x","source":"keyring"},{"id":"y","source":"keyring"},{"id":"z","source":"keyring"}]}`
	once(inner, "Get", 3, func() { putRecord(t, inner.Memory, other) })
	if err := rekey(s, nil, keyringstore.Options{}); err != nil {
		t.Fatal(err)
	}
	if rec, err := inner.Get(t.Context(), record); err != nil || string(rec.Value) != other {
		t.Errorf("the list of keys became %s, %v", rec.Value, err)
	}
}

// Of two processes that begin a store at once, the slower takes what the quicker made.
func TestBeginAgainstAnother(t *testing.T) {
	defer keyringstore.FastPassphrases()()
	withKeyring(t, errNoBus)
	d := made(t)
	for name, o := range map[string]keyringstore.Options{
		"a passphrase":          {Passphrase: pass("correct horse")},
		"a key file":            {Source: keyringstore.KeyFile, Dir: d},
		"a named key file":      {KeyFile: filepath.Join(d, "my.key")},
		"whatever there may be": {Dir: made(t)},
	} {
		inner := &storetest.Failing{Memory: storage.NewMemory()}
		once(inner, "Put", 1, func() {
			other, _ := seal(t, inner, o)
			put(t, other, "token", 0)
		})
		s, _ := seal(t, inner, o)
		want(t, s, "token")
		again, _ := seal(t, inner, o)
		want(t, again, "token")
		if keys, _ := filepath.Glob(filepath.Join(o.Dir, "sealing-*.key")); o.Dir != "" && len(keys) != 1 {
			t.Errorf("%s: key files %v", name, keys)
		}
	}
}

// A process that keeps running while others rekey finds their keys where it was told to
// look. It seals with the newest, not with an older one just because it met that last.
func TestKeysOfOthers(t *testing.T) {
	defer keyringstore.FastPassphrases()()
	withKeyring(t, nil)
	m := storage.NewMemory()
	s, _ := seal(t, m, keyringstore.Options{})
	put(t, s, "token", 0)
	older, err := m.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	withPass := keyringstore.Options{Passphrase: pass("correct horse")}
	elsewhere, _ := seal(t, m, keyringstore.Options{})
	if err := rekey(s, nil, withPass); err != nil {
		t.Fatal(err)
	}
	_, err = elsewhere.Get(t.Context(), k)
	says(t, "a process that was told no passphrase", err, "none was given")
	e, err := m.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Put(t.Context(), k, older.Value, e.Generation, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	late, _ := seal(t, m, withPass)
	withKeyring(t, errNoBus)
	if _, err := late.Get(t.Context(), k); !errors.Is(err, errNoBus) {
		t.Errorf("the older key is in a keyring that is out of reach: %v", err)
	}
	file := filepath.Join(t.TempDir(), "other.key")
	if err := rekey(late, nil, keyringstore.Options{KeyFile: file}); err != nil {
		t.Fatal(err)
	}
	if err := rekey(late, nil, withPass); err != nil {
		t.Fatal(err)
	}
	put(t, late, "token 2", g)
	want(t, s, "token 2") // by the passphrase that it rekeyed with
	// An entry that is sealed with the previous key changes nothing.
	before, err := sealed.New(m, mustRead(t, file))
	if err != nil {
		t.Fatal(err)
	}
	e, err = m.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	put(t, before, "token 3", e.Generation)
	fresh, _ := seal(t, m, keyringstore.Options{Passphrase: pass("correct horse"), KeyFile: file})
	want(t, fresh, "token 3")
	other := k
	other.Account = "other"
	if _, err := fresh.Put(t.Context(), other, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if r, err := fresh.Store.Rekey(t.Context()); err != nil || r.Current != 1 || r.Sealed != 1 {
		t.Errorf("sealed with the newest key: %+v, %v", r, err)
	}
}

func mustRead(t *testing.T, file string) sealed.Key {
	t.Helper()
	key, err := keyringstore.ReadKeyFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// once runs do before a call of the method: the at-th from now.
func once(inner *storetest.Failing, method string, at int, do func()) {
	inner.Before = func(m string, _ states.Key) error {
		if m != method {
			return nil
		}
		if at--; at == 0 {
			inner.Before = nil
			do()
		}
		return nil
	}
}

// made gives an existing directory.
func made(t *testing.T) string {
	t.Helper()
	d := dir(t)
	if err := os.Mkdir(d, 0o700); err != nil {
		t.Fatal(err)
	}
	return d
}

// The list of keys says what each key needs. A list that asks for something it must not
// is refused, and what cannot be found is reported.
func TestWhatTheListAsksFor(t *testing.T) {
	defer keyringstore.FastPassphrases()()
	withKeyring(t, nil)
	key := sealed.NewKey()
	salt := base64.StdEncoding.EncodeToString(make([]byte, 16))
	short := base64.StdEncoding.EncodeToString(make([]byte, 15))
	ref := func(source, more string) string {
		return fmt.Sprintf(`{"id":%q,"source":%q%s}`, key.ID(), source, more)
	}
	many := func(n int) string { return strings.Join(slices.Repeat([]string{ref("keyring", "")}, n), ",") }
	left, leave := context.WithCancel(t.Context())
	for _, c := range []struct {
		name, keys string
		o          keyringstore.Options
		say        string
	}{
		{"more keys than a store may name", many(17), keyringstore.Options{}, "not the list of sealing keys"},
		{"as many as it may", many(16), keyringstore.Options{}, "no such key"},
		{"a key file that nobody named", ref("keyfile", ""), keyringstore.Options{}, "say which"},
		{"a key file that is not there", ref("keyfile", ""), keyringstore.Options{Dir: t.TempDir()}, "no such file"},
		{"a salt that is short", ref("passphrase", `,"salt":"`+short+`","iterations":1000`), keyringstore.Options{Passphrase: pass("x")}, "refused"},
		{"few iterations", ref("passphrase", `,"salt":"`+salt+`","iterations":999`), keyringstore.Options{Passphrase: pass("x")}, "refused"},
		{"too many", ref("passphrase", `,"salt":"`+salt+`","iterations":20000001`), keyringstore.Options{Passphrase: pass("x")}, "refused"},
		{"enough", ref("passphrase", `,"salt":"`+salt+`","iterations":1000`), keyringstore.Options{Passphrase: pass("x")}, "not the passphrase"},
		{"a user who has left", ref("passphrase", `,"salt":"`+salt+`","iterations":20000000`),
			keyringstore.Options{Passphrase: func(context.Context) (string, error) { leave(); return "x", nil }}, "context canceled"},
		{"a source that is none", ref("moon", ""), keyringstore.Options{}, `does not know ("moon")`},
	} {
		m := storage.NewMemory()
		putRecord(t, m, `{"version":1,"keys":[`+c.keys+`]}`)
		ctx := t.Context()
		if c.say == "context canceled" {
			ctx = left
		}
		_, _, err := keyringstore.Seal(ctx, m, c.o)
		says(t, c.name, err, c.say)
	}
}

// Options that ask for something they must not are refused before anything is made.
func TestOptionsThatCannotBe(t *testing.T) {
	withKeyring(t, nil)
	for _, c := range []struct {
		o   keyringstore.Options
		say string
	}{
		{keyringstore.Options{Source: keyringstore.Passphrase}, "none was given"},
		{keyringstore.Options{Source: "moon"}, `unknown source of the sealing key "moon"`},
		{keyringstore.Options{Source: keyringstore.KeyFile}, "say which"},
		{keyringstore.Options{KeyFile: filepath.Join(t.TempDir(), "none", "my.key")}, "no such file"},
		{keyringstore.Options{KeyFile: t.TempDir()}, "not a regular file"},
		{keyringstore.Options{Passphrase: pass("")}, "empty"},
	} {
		m := storage.NewMemory()
		_, _, err := keyringstore.Seal(t.Context(), m, c.o)
		says(t, fmt.Sprintf("%+v", c.o), err, c.say)
		if is, err := keyringstore.IsSealed(t.Context(), m); is || err != nil {
			t.Errorf("%+v: sealed %v, %v", c.o, is, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, _, err := keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: file}); err == nil || s != nil {
		t.Errorf("a file as the directory: %v, %v", s, err)
	}
	if s, _, err := keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: dir(t), Source: "moon"}); err == nil || s != nil {
		t.Errorf("an unknown source: %v, %v", s, err)
	}
	t.Setenv("HOME", "")
	if s, _, err := keyringstore.OpenDefault(t.Context(), keyringstore.Options{}); err == nil || s != nil || !strings.Contains(err.Error(), "HOME") {
		t.Errorf("nowhere: %v, %v", s, err)
	}
	d := dir(t)
	if _, _, err := keyringstore.OpenDefault(t.Context(), keyringstore.Options{Getenv: func(string) string { return d }}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(d, "stile")); err != nil {
		t.Error(err)
	}
}

// idOf is the id of the key that a store is sealed with.
func idOf(t *testing.T, m storage.Store) string {
	t.Helper()
	rec, err := m.Get(t.Context(), record)
	if err != nil {
		t.Fatal(err)
	}
	_, id, _ := strings.Cut(string(rec.Value), `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	return id
}

// A copy of the key in a named file serves where the keyring does not; another key
// in the file does not.
func TestKeyFileBesideTheKeyring(t *testing.T) {
	withKeyring(t, nil)
	m := storage.NewMemory()
	s, _ := seal(t, m, keyringstore.Options{})
	put(t, s, "token", 0)
	key, err := keyringstore.Load(t.Context(), idOf(t, m))
	if err != nil {
		t.Fatal(err)
	}
	same, other := filepath.Join(t.TempDir(), "same.key"), filepath.Join(t.TempDir(), "other.key")
	for path, k := range map[string]sealed.Key{same: key, other: sealed.NewKey()} {
		if err := keyringstore.WriteKeyFile(path, k); err != nil {
			t.Fatal(err)
		}
	}
	withKeyring(t, errNoBus)
	s, _ = seal(t, m, keyringstore.Options{KeyFile: same})
	want(t, s, "token")
	for _, path := range []string{other, same + "x"} {
		if _, _, err := keyringstore.Seal(t.Context(), m, keyringstore.Options{KeyFile: path}); !errors.Is(err, errNoBus) {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	// Rekeying to a key file makes a new one, and the same file cannot be used twice.
	if err := rekey(s, nil, keyringstore.Options{KeyFile: other}); err != nil {
		t.Fatal(err)
	}
	says(t, "the same file again", rekey(s, nil, keyringstore.Options{KeyFile: other}), "already; name another key file")
	want(t, s, "token")
}

// A key file is written whole or not at all, replaces nothing, and leaves nothing beside
// it.
func TestWriteKeyFile(t *testing.T) {
	d := t.TempDir()
	path := filepath.Join(d, "my.key")
	key := sealed.NewKey()
	if err := keyringstore.WriteKeyFile(path, key); err != nil {
		t.Fatal(err)
	}
	if err := keyringstore.WriteKeyFile(path, sealed.NewKey()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	if again, err := keyringstore.ReadKeyFile(path); err != nil || again != key {
		t.Errorf("it holds %v, %v", again, err)
	}
	for _, bad := range []string{filepath.Join(d, strings.Repeat("n", 300)), filepath.Join(d, "none", "my.key")} {
		if err := keyringstore.WriteKeyFile(bad, key); err == nil || errors.Is(err, fs.ErrExist) {
			t.Errorf("a place where no file can be: %v", err)
		}
	}
	if left, err := os.ReadDir(d); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := keyringstore.ReadKeyFile(d); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := keyringstore.ReadKeyFile(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}

// An entry that is sealed with a key that the list does not name says so.
func TestKeyThatIsNotInTheList(t *testing.T) {
	withKeyring(t, nil)
	m := storage.NewMemory()
	s, _ := seal(t, m, keyringstore.Options{})
	other, err := sealed.New(m, sealed.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	put(t, other, "token", 0)
	_, err = s.Get(t.Context(), k)
	says(t, "Get", err, "the store's list of keys does not name it")
	says(t, "Rekey to a source that is none", rekey(s, nil, keyringstore.Options{Source: "moon"}), "unknown source")
	// A store that already names the maximum number of keys takes no more.
	putRecord(t, m, `{"version":1,"keys":[`+strings.Repeat(`{"id":"x","source":"keyring"},`, 15)+`{"id":"y","source":"keyring"}]}`)
	m2 := storage.NewMemory()
	s2, _ := seal(t, m2, keyringstore.Options{})
	says(t, "Rekey", rekey(s, nil, keyringstore.Options{}), "names 16 keys already")
	rec := `{"version":1,"keys":[{"id":"` + idOf(t, m2) + `","source":"keyring"}` + strings.Repeat(`,{"id":"x","source":"keyring"}`, 14) + `]}`
	putRecord(t, m2, rec)
	if err := rekey(s2, nil, keyringstore.Options{}); err != nil {
		t.Errorf("Rekey of one that names 15: %v", err)
	}
	putRecord(t, m, `{}`)
	_, err = s.Get(t.Context(), k)
	says(t, "Get without the list", err, "not the list of sealing keys")
}
