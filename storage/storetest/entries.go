package storetest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

func testGet(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	_, err := st.Get(t.Context(), k)
	wantErr(t, "Get of nothing", err, storage.ErrNotFound)

	g := put(t, st, k, "value", 0, never)
	e := get(t, st, k)
	if string(e.Value) != "value" || e.Generation != g || !e.Expires.IsZero() {
		t.Fatalf("Get = %q, generation %d, expires %v; want %q, %d, never", e.Value, e.Generation, e.Expires, "value", g)
	}
	// The value that was handed out belongs to the caller.
	e.Value[0] = 'X'
	if again := get(t, st, k); string(again.Value) != "value" {
		t.Fatalf("the caller changed their copy and the store gives %q", again.Value)
	}
	// So does the one that was handed in.
	mine := []byte("mine")
	g, err = st.Put(t.Context(), k, mine, g, never)
	must(t, "Put", err)
	mine[0] = 'X'
	if again := get(t, st, k); string(again.Value) != "mine" || again.Generation != g {
		t.Fatalf("the caller changed what they had put and the store gives %q", again.Value)
	}
}

func testPut(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	_, err := st.Put(t.Context(), k, []byte("x"), 7, never)
	wantErr(t, "Put over a generation where nothing is", err, storage.ErrConflict)
	_, err = st.Get(t.Context(), k)
	wantErr(t, "Get after a refused Put", err, storage.ErrNotFound)

	g1 := put(t, st, k, "one", 0, never)
	_, err = st.Put(t.Context(), k, []byte("x"), 0, never)
	wantErr(t, "Put of a new entry where one is", err, storage.ErrConflict)
	g2 := put(t, st, k, "two", g1, never)
	_, err = st.Put(t.Context(), k, []byte("x"), g1, never)
	wantErr(t, "Put over an older generation", err, storage.ErrConflict)
	_, err = st.Put(t.Context(), k, []byte("x"), g2+1, never)
	wantErr(t, "Put over a generation that never was", err, storage.ErrConflict)
	_, err = st.Put(t.Context(), k, []byte("x"), math.MaxUint64, never)
	wantErr(t, "Put over a generation that is none", err, storage.ErrConflict)
	if e := get(t, st, k); string(e.Value) != "two" || e.Generation != g2 {
		t.Fatalf("after refused Puts the entry is %q, generation %d; want %q, %d", e.Value, e.Generation, "two", g2)
	}
}

func testDelete(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	wantErr(t, "Delete of nothing", st.Delete(t.Context(), k, 1), storage.ErrNotFound)
	wantErr(t, "Delete of nothing of a generation that is none", st.Delete(t.Context(), k, math.MaxUint64), storage.ErrNotFound)
	g1 := put(t, st, k, "one", 0, never)
	g2 := put(t, st, k, "two", g1, never)
	wantErr(t, "Delete of an older generation", st.Delete(t.Context(), k, g1), storage.ErrConflict)
	wantErr(t, "Delete of generation 0", st.Delete(t.Context(), k, 0), storage.ErrConflict)
	wantErr(t, "Delete of a generation that is none", st.Delete(t.Context(), k, math.MaxUint64), storage.ErrConflict)
	if e := get(t, st, k); string(e.Value) != "two" {
		t.Fatalf("after refused Deletes the entry is %q", e.Value)
	}
	must(t, "Delete", st.Delete(t.Context(), k, g2))
	_, err := st.Get(t.Context(), k)
	wantErr(t, "Get after Delete", err, storage.ErrNotFound)
	wantErr(t, "second Delete", st.Delete(t.Context(), k, g2), storage.ErrNotFound)
	_, err = st.Put(t.Context(), k, []byte("x"), g2, never)
	wantErr(t, "Put over a deleted generation", err, storage.ErrConflict)
}

func testGenerations(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	seen := map[states.Generation]bool{}
	note := func(g states.Generation) {
		t.Helper()
		if seen[g] {
			t.Fatalf("generation %d came twice", g)
		}
		seen[g] = true
	}
	for range 8 {
		g := put(t, st, k, "a", 0, never)
		note(g)
		next := put(t, st, k, "b", g, never)
		note(next)
		must(t, "Delete", st.Delete(t.Context(), k, next))
	}
	// The same bytes are another version nevertheless.
	g := put(t, st, k, "same", 0, never)
	note(g)
	note(put(t, st, k, "same", g, never))
}

// testIsolation uses keys that a naive join of the parts would confuse, and
// letters that backends may fold, trim, or cut off.
func testIsolation(t *testing.T, s *suite) {
	st := s.open(t)
	run := rand.Text()
	long := strings.Repeat("l", 3000)
	base := states.Key{Kind: states.KindCredential, Tenant: run, Subject: "s", Account: "a", Name: "n"}
	with := func(f func(*states.Key)) states.Key {
		k := base
		f(&k)
		return k
	}
	keys := []states.Key{
		base,
		with(func(k *states.Key) { k.Kind = states.KindMark }),
		with(func(k *states.Key) { k.Kind = states.KindLedger }),
		with(func(k *states.Key) { k.Tenant += "\x00" }),
		with(func(k *states.Key) { k.Tenant += " " }),
		with(func(k *states.Key) { k.Subject = "S" }),
		with(func(k *states.Key) { k.Subject = "" }),
		with(func(k *states.Key) { k.Account = "" }),
		with(func(k *states.Key) { k.Subject, k.Account = "sa", "" }),
		with(func(k *states.Key) { k.Subject, k.Account = "", "sa" }),
		with(func(k *states.Key) { k.Subject, k.Account, k.Name = "s/a", "", "n" }),
		with(func(k *states.Key) { k.Subject, k.Account, k.Name = "s", "a/n", "" }),
		with(func(k *states.Key) { k.Subject, k.Account, k.Name = "s", "", "a/n" }),
		with(func(k *states.Key) { k.Subject, k.Account, k.Name = "s:a", ":n", "" }),
		with(func(k *states.Key) { k.Subject, k.Account, k.Name = "s", "a:", "n" }),
		with(func(k *states.Key) { k.Subject, k.Account, k.Name = "1:s,1:a", "", "n" }),
		with(func(k *states.Key) { k.Subject, k.Account = "s,1:a", "" }),
		with(func(k *states.Key) { k.Account = "a\x00n" }),
		with(func(k *states.Key) { k.Name = "n\x00" }),
		with(func(k *states.Key) { k.Name = "\x00n" }),
		with(func(k *states.Key) { k.Name = "N" }),
		with(func(k *states.Key) { k.Name = "*" }),
		with(func(k *states.Key) { k.Name = "%" }),
		with(func(k *states.Key) { k.Name = "n{x}" }),
		with(func(k *states.Key) { k.Name = "../n" }),
		with(func(k *states.Key) { k.Name = "n'; --" }),
		with(func(k *states.Key) { k.Name = "é" }),
		with(func(k *states.Key) { k.Name = "e\u0301" }),
		with(func(k *states.Key) { k.Name = "\xff\xfe" }),
		with(func(k *states.Key) { k.Name = long }),
		with(func(k *states.Key) { k.Name = long + "l" }),
	}
	// The same text, cut at another place: equal once the parts are joined.
	for _, sep := range []string{"/", ":", ",", "|", "\x00", "\n", " ", "%2F", "\\"} {
		for _, parts := range [][3]string{
			{"x" + sep + "y", "z", "w"}, {"x", "y" + sep + "z", "w"}, {"x", "y", "z" + sep + "w"},
		} {
			keys = append(keys, with(func(k *states.Key) { k.Subject, k.Account, k.Name = parts[0], parts[1], parts[2] }))
		}
		keys = append(keys,
			with(func(k *states.Key) { k.Tenant, k.Subject = run+sep+"x", "y" }),
			with(func(k *states.Key) { k.Tenant, k.Subject = run, "x"+sep+"y" }))
	}
	gens := make([]states.Generation, len(keys))
	for i, k := range keys {
		gens[i] = put(t, st, k, fmt.Sprint("value ", i), 0, never)
	}
	for i, k := range keys {
		if e := get(t, st, k); string(e.Value) != fmt.Sprint("value ", i) || e.Generation != gens[i] {
			t.Errorf("key %d %q holds %q, generation %d; want its own, %d", i, k, e.Value, e.Generation, gens[i])
		}
	}
	for i, k := range keys {
		if _, err := st.Lease(t.Context(), k, time.Minute); err != nil {
			t.Errorf("the lease of key %d %q is not its own: %v", i, k, err)
		}
	}
	for i, k := range keys {
		must(t, "Delete", st.Delete(t.Context(), k, gens[i]))
		_, err := st.Get(t.Context(), k)
		wantErr(t, "Get after Delete", err, storage.ErrNotFound)
		if i+1 < len(keys) {
			get(t, st, keys[i+1])
		}
	}
}

func testValues(t *testing.T, s *suite) {
	st := s.open(t)
	big := make([]byte, 64<<10)
	_, _ = rand.Read(big)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, c := range []struct {
		name  string
		value []byte
	}{{"empty", nil}, {"one NUL", []byte{0}}, {"every byte", all}, {"64 KiB", big}, {"text with line ends", []byte("a\r\n\nb\n")}} {
		k := key(states.KindCredential)
		g, err := st.Put(t.Context(), k, c.value, 0, never)
		must(t, c.name, err)
		if e := get(t, st, k); !bytes.Equal(e.Value, c.value) || e.Generation != g {
			t.Errorf("%s: %d bytes came back as %d others", c.name, len(c.value), len(e.Value))
		}
	}
}

func testClaim(t *testing.T, s *suite) {
	st := s.open(t)
	for range 5 {
		k := key(states.KindLogin)
		g := put(t, st, k, "login", 0, never)
		errs := together(16, func(int) error { return st.Delete(t.Context(), k, g) })
		if won := countOf(t, errs, storage.ErrNotFound, storage.ErrConflict); won != 1 {
			t.Fatalf("%d of 16 callers claimed one login", won)
		}
	}
}

func testPutRace(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	var g states.Generation
	for round := range 5 {
		gens := make([]states.Generation, 16)
		errs := together(16, func(i int) (err error) {
			gens[i], err = st.Put(t.Context(), k, fmt.Append(nil, i), g, never)
			return err
		})
		if won := countOf(t, errs, storage.ErrConflict); won != 1 {
			t.Fatalf("round %d: %d of 16 callers wrote over one generation", round, won)
		}
		e := get(t, st, k)
		for i, err := range errs {
			if err == nil && (gens[i] != e.Generation || string(e.Value) != fmt.Sprint(i)) {
				t.Fatalf("caller %d won with generation %d and the entry is %q, %d", i, gens[i], e.Value, e.Generation)
			}
		}
		g = e.Generation
	}
}

// testCounter adds up in many goroutines: a lost update would show.
func testCounter(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	put(t, st, k, "0", 0, never)
	const workers, adds = 4, 10
	errs := together(workers, func(int) error {
		for done := 0; done < adds; {
			e, err := st.Get(t.Context(), k)
			if err != nil {
				return err
			}
			var n int
			if _, err := fmt.Sscan(string(e.Value), &n); err != nil {
				return fmt.Errorf("the entry is %q: %w", e.Value, err)
			}
			switch _, err := st.Put(t.Context(), k, fmt.Append(nil, n+1), e.Generation, never); {
			case err == nil:
				done++
			case !errors.Is(err, storage.ErrConflict):
				return err
			}
		}
		return nil
	})
	countOf(t, errs)
	if e := get(t, st, k); string(e.Value) != fmt.Sprint(workers*adds) {
		t.Fatalf("%d additions gave %s", workers*adds, e.Value)
	}
}
