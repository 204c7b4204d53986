package sealed_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/sealed"
	"github.com/stile-oauth/stile/storage/storetest"
)

func newStore(t *testing.T, inner storage.Store, key sealed.Key, opts ...sealed.Option) *sealed.Store {
	t.Helper()
	s, err := sealed.New(inner, key, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storage.Store { return newStore(t, storage.NewMemory(), sealed.NewKey()) },
		storetest.Pair(func(t *testing.T) (storage.Store, storage.Store) {
			m, key := storage.NewMemory(), sealed.NewKey()
			return newStore(t, m, key), newStore(t, m, key)
		}))
}

var (
	mine   = states.Key{Kind: states.KindCredential, Tenant: "acme", Subject: "alice", Name: "https://mcp.example/"}
	theirs = states.Key{Kind: states.KindCredential, Tenant: "acme", Subject: "mallory", Name: "https://mcp.example/"}
)

const value = "a refresh token"

func put(t *testing.T, s storage.Store, k states.Key, v []byte, g states.Generation) states.Generation {
	t.Helper()
	g, err := s.Put(t.Context(), k, v, g, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func raw(t *testing.T, m storage.Store, k states.Key) storage.Entry {
	t.Helper()
	e, err := m.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestNothingInTheClear(t *testing.T) {
	m := storage.NewMemory()
	s := newStore(t, m, sealed.NewKey())
	g := put(t, s, mine, []byte(value), 0)
	first := raw(t, m, mine).Value
	if bytes.Contains(first, []byte("refresh")) || len(first) != len(value)+sealed.Overhead {
		t.Fatalf("kept is %q", first)
	}
	put(t, s, mine, []byte(value), g)
	if bytes.Equal(first, raw(t, m, mine).Value) {
		t.Fatal("the same value sealed twice gives the same bytes")
	}
}

// Every way in which an entry may be unreadable has an error of its own that
// names the entry, and leaves it as it is.
func TestUnreadable(t *testing.T) {
	const idAt, bindingAt = 5, 21
	flip := func(at int) func(b, o []byte) []byte {
		return func(b, _ []byte) []byte {
			if at < 0 {
				at += len(b)
			}
			b[at] ^= 1
			return b
		}
	}
	id := func(text string) func(b, o []byte) []byte {
		return func(b, _ []byte) []byte { copy(b[idAt:], text); return b }
	}
	cut := func(n int) func(b, o []byte) []byte { return func(b, _ []byte) []byte { return b[:n] } }
	for _, c := range []struct {
		name   string
		change func(b, other []byte) []byte
		want   error
	}{
		{"swapped with another's row", func(_, o []byte) []byte { return o }, sealed.ErrMoved},
		{"other's row, binding repaired", func(b, o []byte) []byte { copy(o[bindingAt:bindingAt+16], b[bindingAt:]); return o }, sealed.ErrAltered},
		{"ciphertext", flip(60), sealed.ErrAltered},
		{"tag", flip(-1), sealed.ErrAltered},
		{"nonce", flip(40), sealed.ErrAltered},
		{"key id", id("0123456789abcdef"), sealed.ErrUnknownKey},
		{"key id that no key has", id("\x1b[31m\n"), sealed.ErrAltered},
		{"key id below the digits", id("/"), sealed.ErrAltered},
		{"key id above the digits", id(":"), sealed.ErrAltered},
		{"key id below the letters", id("`"), sealed.ErrAltered},
		{"key id above the letters", id("g"), sealed.ErrAltered},
		{"version", flip(4), sealed.ErrVersion},
		{"version and no more", func([]byte, []byte) []byte { return []byte("SEAL\x02") }, sealed.ErrVersion},
		{"magic", flip(0), sealed.ErrNotSealed},
		{"end of the magic", flip(3), sealed.ErrNotSealed},
		{"plain text", func([]byte, []byte) []byte { return []byte(`{"access_token":"x"}`) }, sealed.ErrNotSealed},
		{"empty", func([]byte, []byte) []byte { return nil }, sealed.ErrNotSealed},
		{"cut off in the magic", cut(2), sealed.ErrTruncated},
		{"cut off after the magic", cut(4), sealed.ErrTruncated},
		{"cut off after the version", cut(5), sealed.ErrTruncated},
		{"cut off in the head", cut(30), sealed.ErrTruncated},
		{"cut off in the tag", cut(sealed.Overhead - 1), sealed.ErrTruncated},
		{"cut off in the text", func(b, _ []byte) []byte { return b[:len(b)-1] }, sealed.ErrAltered},
		{"longer", func(b, _ []byte) []byte { return append(b, 0) }, sealed.ErrAltered},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := storage.NewMemory()
			s := newStore(t, m, sealed.NewKey())
			put(t, s, mine, []byte(value), 0)
			put(t, s, theirs, []byte("another refresh token"), 0)
			e := raw(t, m, mine)
			bad := c.change(e.Value, raw(t, m, theirs).Value)
			g := put(t, m, mine, bad, e.Generation)

			_, err := s.Get(t.Context(), mine)
			u := (*storage.UnreadableError)(nil)
			if !errors.Is(err, c.want) || !errors.As(err, &u) || u.Key != mine || u.Generation != g {
				t.Fatalf("Get: %v, want %v for %q, generation %d", err, c.want, mine, g)
			}
			if storage.IsAnswer(err) || !strings.Contains(err.Error(), mine.String()) || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("the error reads %q", err)
			}
			// Only a call that names its generation changes it.
			if _, err := s.Put(t.Context(), mine, []byte("x"), 0, time.Time{}); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("Put of a new entry over it: %v", err)
			}
			if _, err := s.Put(t.Context(), mine, []byte("x"), e.Generation, time.Time{}); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("Put over the generation before: %v", err)
			}
			if err := s.Delete(t.Context(), mine, e.Generation); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("Delete of the generation before: %v", err)
			}
			if got := raw(t, m, mine).Value; !bytes.Equal(got, bad) {
				t.Error("the entry was changed")
			}
			if c.name != "swapped with another's row" {
				put(t, s, mine, []byte("given up on purpose"), u.Generation)
			} else if err := s.Delete(t.Context(), mine, u.Generation); err != nil {
				t.Errorf("Delete on purpose: %v", err)
			}
		})
	}
}

// Each part of the key is bound: changing any of them makes the row another entry's.
func TestEveryPartOfTheKeyIsBound(t *testing.T) {
	m := storage.NewMemory()
	s := newStore(t, m, sealed.NewKey())
	put(t, s, mine, []byte(value), 0)
	e := raw(t, m, mine)
	for _, change := range []func(*states.Key){
		func(k *states.Key) { k.Kind = states.KindLedger },
		func(k *states.Key) { k.Tenant = "other" },
		func(k *states.Key) { k.Subject = "" },
		func(k *states.Key) { k.Account = "alice" },
		func(k *states.Key) { k.Name += "/" },
		func(k *states.Key) { k.Tenant, k.Subject = k.Tenant+k.Subject, "" },
	} {
		k := mine
		change(&k)
		put(t, m, k, e.Value, 0)
		if got, err := s.Get(t.Context(), k); !errors.Is(err, sealed.ErrMoved) {
			t.Errorf("the row of %q read as %q: %q, %v", mine, k, got.Value, err)
		}
	}
}

func TestRotation(t *testing.T) {
	m := storage.NewMemory()
	k1, k2 := sealed.NewKey(), sealed.NewKey()
	old := newStore(t, m, k1)
	put(t, old, mine, []byte(value), 0)
	put(t, old, theirs, []byte(value), 0)
	login := states.Key{Kind: states.KindLogin, Tenant: "acme", Subject: "alice", Name: "00"}
	expires := time.Now().Add(time.Hour)
	if _, err := old.Put(t.Context(), login, []byte("login"), 0, expires); err != nil {
		t.Fatal(err)
	}
	lost := states.Key{Kind: states.KindLedger, Tenant: "acme", Subject: "alice", Name: "lost"}
	put(t, newStore(t, m, sealed.NewKey()), lost, []byte(value), 0)

	s := newStore(t, m, k2, sealed.Also(k1))
	if e, err := s.Get(t.Context(), mine); err != nil || string(e.Value) != value {
		t.Fatalf("with the older key at hand: %q, %v", e.Value, err)
	}
	r, err := s.Rekey(t.Context())
	if err != nil || r.Sealed != 3 || r.Current != 0 || len(r.Unreadable) != 1 || r.Unreadable[0].Key != lost {
		t.Fatalf("Rekey = %+v, %v", r, err)
	}
	if r, err = s.Rekey(t.Context()); err != nil || r.Sealed != 0 || r.Current != 3 || len(r.Unreadable) != 1 {
		t.Fatalf("Rekey again = %+v, %v", r, err)
	}
	now := newStore(t, m, k2)
	for _, k := range []states.Key{mine, theirs} {
		if e, err := now.Get(t.Context(), k); err != nil || string(e.Value) != value {
			t.Errorf("%q with the new key alone: %q, %v", k, e.Value, err)
		}
	}
	if e, err := now.Get(t.Context(), login); err != nil || e.Expires.UnixMilli() != expires.UnixMilli() {
		t.Errorf("the login after Rekey: expires %v, %v; want %v", e.Expires, err, expires)
	}
	// The process that still has only the old key says so, and asks for the new.
	if _, err := old.Get(t.Context(), mine); !errors.Is(err, sealed.ErrUnknownKey) || !strings.Contains(err.Error(), k2.ID()) {
		t.Errorf("with the old key alone: %v", err)
	}
	asked := 0
	late := newStore(t, m, k1, sealed.Lookup(func(_ context.Context, id string) (sealed.Key, error) {
		asked++
		if id != k2.ID() {
			return sealed.Key{}, errors.New("no such key")
		}
		return k2, nil
	}))
	for range 3 {
		if e, err := late.Get(t.Context(), mine); err != nil || string(e.Value) != value {
			t.Errorf("with a lookup: %q, %v", e.Value, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times for one key", asked)
	}
	if _, err := late.Get(t.Context(), lost); !errors.Is(err, sealed.ErrUnknownKey) || !strings.Contains(err.Error(), "no such key") {
		t.Errorf("with a lookup that has nothing: %v", err)
	}
}

// racing is a store in which somebody else writes just before a Put.
type racing struct {
	*storage.Memory
	before func()
}

func (r *racing) Put(ctx context.Context, k states.Key, v []byte, g states.Generation, at time.Time) (states.Generation, error) {
	if f := r.before; f != nil {
		r.before = nil
		f()
	}
	return r.Memory.Put(ctx, k, v, g, at)
}

// Rekey does not bring back what a writer has replaced meanwhile.
func TestRekeyAgainstAWriter(t *testing.T) {
	inner := &racing{Memory: storage.NewMemory()}
	k1, k2 := sealed.NewKey(), sealed.NewKey()
	old := newStore(t, inner.Memory, k1)
	g := put(t, old, mine, []byte("old"), 0)
	inner.before = func() { put(t, old, mine, []byte("new"), g) }
	s := newStore(t, inner, k2, sealed.Also(k1))
	if r, err := s.Rekey(t.Context()); err != nil || r.Sealed != 1 {
		t.Fatalf("Rekey = %+v, %v", r, err)
	}
	if e, err := newStore(t, inner.Memory, k2).Get(t.Context(), mine); err != nil || string(e.Value) != "new" {
		t.Fatalf("after it: %q, %v", e.Value, err)
	}
}

func TestKeyIsNeverPrinted(t *testing.T) {
	k := sealed.NewKey()
	j, err := json.Marshal(map[string]any{"k": k})
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimPrefix(k.Text(), "stile-sealing-key-1:")
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%#v %+v %x %s %d", k, k, k, k, k), fmt.Sprint(struct{ K sealed.Key }{k}), string(j)} {
		if strings.Contains(s, secret) || !strings.Contains(s, k.ID()) {
			t.Errorf("printed as %q", s)
		}
	}
	again, err := sealed.ParseKey("\n " + k.Text() + "\n")
	if err != nil || again != k {
		t.Errorf("ParseKey(Text) = %v, %v", again, err)
	}
	for _, bad := range []string{"", secret, k.Text() + "AAAA", k.Text() + "!", k.Text()[:40]} {
		if _, err := sealed.ParseKey(bad); err == nil || strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("ParseKey of something else: %v", err)
		}
	}
	if _, err := sealed.KeyFromBytes(make([]byte, 16)); err == nil || !strings.Contains(err.Error(), "has 32 bytes, not 16") {
		t.Errorf("a key of 16 bytes: %v", err)
	}
}

// golden is the envelope that version 1 made of value, for mine, with a key of
// 32 sevens. What was sealed once can be opened for ever.
const golden = "U0VBTAEyZDdiODhhOGViM2I4Zjcy0QZvBwVU6LQDdSPc/tVNq4a3Zn5xys3hJDX6shV3YiFmSd5BG4AFSS696jOKirSqR92sEuHXUT4yGsI="

func goldenStore(t testing.TB) (*storage.Memory, *sealed.Store, []byte) {
	t.Helper()
	key, err := sealed.KeyFromBytes(bytes.Repeat([]byte{7}, sealed.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	m := storage.NewMemory()
	s, err := sealed.New(m, key)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := base64.StdEncoding.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	return m, s, envelope
}

func TestGolden(t *testing.T) {
	m, s, envelope := goldenStore(t)
	put(t, m, mine, envelope, 0)
	if e, err := s.Get(t.Context(), mine); err != nil || string(e.Value) != value {
		t.Fatalf("Get = %q, %v", e.Value, err)
	}
}

func FuzzOpen(f *testing.F) {
	m, s, envelope := goldenStore(f)
	var g states.Generation
	f.Add(envelope)
	f.Add(envelope[:20])
	f.Add([]byte("SEAL\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var err error
		if g, err = m.Put(t.Context(), mine, b, g, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), mine); (err == nil) != bytes.Equal(b, envelope) {
			t.Fatalf("%q gives %q, %v", b, got.Value, err)
		}
	})
}

// The entry that says which keys there are cannot be reached, and is in no listing.
func TestReservedKind(t *testing.T) {
	m := storage.NewMemory()
	k := states.Key{Kind: sealed.KindKeys, Name: "keys"}
	g := put(t, m, k, []byte("{}"), 0)
	s := newStore(t, m, sealed.NewKey())
	for name, call := range sealing(t.Context(), s, k, g) {
		if err := call(); !errors.Is(err, sealed.ErrReserved) {
			t.Errorf("%s: error %v, want ErrReserved", name, err)
		}
	}
	if e := raw(t, m, k); string(e.Value) != "{}" || e.Generation != g {
		t.Errorf("it became %q", e.Value)
	}
	if err := s.Entries(t.Context(), "", "", func(k states.Key, _ storage.Entry, _ error) error { return fmt.Errorf("%q is given", k) }); err != nil {
		t.Error(err)
	}
	if keys, err := s.List(t.Context(), "", ""); err != nil || len(keys) != 0 {
		t.Errorf("List = %v, %v", keys, err)
	}
	put(t, s, states.Key{Kind: states.KindCredential, Name: "n"}, nil, 0)
	err := s.Keys(t.Context(), func(k states.Key) error {
		if k.Kind != states.KindCredential {
			t.Errorf("Keys gives %q", k)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if r, err := s.Rekey(t.Context()); err != nil || len(r.Unreadable) != 0 || r.Current != 1 {
		t.Errorf("Rekey = %+v, %v", r, err)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(sealed.NewKey().Text())
	f.Add(" stile-sealing-key-1:AAAA\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := sealed.ParseKey(text)
		if err != nil {
			if !k.IsZero() || len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Fatalf("%q: %v, %v", text, k, err)
			}
			return
		}
		if again, err := sealed.ParseKey(k.Text()); err != nil || again != k {
			t.Fatalf("%q goes round as %v, %v", text, again, err)
		}
	})
}
