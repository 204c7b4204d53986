package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// gone tells whether the entry has ceased to exist; it must not do so early.
func (s *suite) gone(t *testing.T, st storage.Store, k states.Key, expires time.Time) func() bool {
	return func() bool {
		t.Helper()
		_, err := st.Get(t.Context(), k)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("Get of an expiring entry: %v", err)
		}
		if err != nil && s.now().Before(expires.Add(-apart)) {
			t.Fatalf("the entry went %v before its time", expires.Sub(s.now()))
		}
		return err != nil
	}
}

func testExpiry(t *testing.T, s *suite) {
	st := s.open(t)

	// An entry whose expiry lies ahead is there, with its time, to the millisecond.
	k := key(states.KindCredential)
	far := s.now().Add(late)
	put(t, st, k, "far", 0, far)
	if e := get(t, st, k); e.Expires.UnixMilli() != far.UnixMilli() {
		t.Errorf("expires %v came back as %v", far, e.Expires)
	}

	// One whose expiry has passed was never there.
	k = key(states.KindCredential)
	put(t, st, k, "past", 0, s.now().Add(-time.Minute))
	_, err := st.Get(t.Context(), k)
	wantErr(t, "Get of an entry that had expired", err, storage.ErrNotFound)

	// An expired entry blocks nobody, and no generation reaches it.
	k = key(states.KindCredential)
	expires := s.now().Add(soon)
	g := put(t, st, k, "brief", 0, expires)
	s.pass(t, soon+time.Millisecond, "expiry", s.gone(t, st, k, expires))
	wantErr(t, "Delete of an expired entry", st.Delete(t.Context(), k, g), storage.ErrNotFound)
	_, err = st.Put(t.Context(), k, []byte("x"), g, never)
	wantErr(t, "Put over an expired generation", err, storage.ErrConflict)
	put(t, st, k, "new", 0, never)
	if e := get(t, st, k); string(e.Value) != "new" || !e.Expires.IsZero() {
		t.Errorf("after expiry and a new Put: %q, expires %v", e.Value, e.Expires)
	}
}

// testExpiryMoves: only the expiry of an entry's last version counts.
func testExpiryMoves(t *testing.T, s *suite) {
	st := s.open(t)
	longer, shorter, forever, witness := key(states.KindCredential), key(states.KindCredential), key(states.KindCredential), key(states.KindCredential)
	gl := put(t, st, longer, "1", 0, s.now().Add(late))
	gs := put(t, st, shorter, "1", 0, s.now().Add(late))
	gf := put(t, st, forever, "1", 0, s.now().Add(late))
	put(t, st, longer, "2", gl, s.now().Add(2*late))
	put(t, st, forever, "2", gf, never)
	expires := s.now().Add(soon)
	put(t, st, shorter, "2", gs, expires)
	put(t, st, witness, "1", 0, expires)
	s.pass(t, soon+time.Millisecond, "the shortened entry", s.gone(t, st, shorter, expires))
	s.pass(t, 0, "the witness", s.gone(t, st, witness, expires))
	if e := get(t, st, longer); string(e.Value) != "2" {
		t.Errorf("the prolonged entry is %q", e.Value)
	}
	if e := get(t, st, forever); string(e.Value) != "2" || !e.Expires.IsZero() {
		t.Errorf("the entry without a limit is %q, expires %v", e.Value, e.Expires)
	}
}

func testGenerationAfterExpiry(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	seen := map[states.Generation]bool{}
	for round := range 3 {
		expires := s.now().Add(soon / 2)
		g := put(t, st, k, "brief", 0, expires)
		if seen[g] {
			t.Fatalf("round %d: generation %d came twice", round, g)
		}
		seen[g] = true
		s.pass(t, soon, "expiry", s.gone(t, st, k, expires))
	}
}

// testPendingLogin is the life of a login that waits for its callback
// (store-pending-ttl): one caller can claim it in time, and nobody too late.
func testPendingLogin(t *testing.T, s *suite) {
	st, in, out := s.open(t), key(states.KindLogin), key(states.KindLogin)
	g := put(t, st, in, "login", 0, s.now().Add(late))
	if e := get(t, st, in); e.Generation != g {
		t.Fatalf("the login has generation %d, want %d", e.Generation, g)
	}
	must(t, "claim in time", st.Delete(t.Context(), in, g))
	wantErr(t, "second claim", st.Delete(t.Context(), in, g), storage.ErrNotFound)

	expires := s.now().Add(soon)
	g = put(t, st, out, "login", 0, expires)
	s.pass(t, soon+time.Millisecond, "the login's time limit", s.gone(t, st, out, expires))
	wantErr(t, "claim that comes too late", st.Delete(t.Context(), out, g), storage.ErrNotFound)
}
