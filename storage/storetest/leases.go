package storetest

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

func lease(t *testing.T, st storage.Store, k states.Key, ttl time.Duration) storage.Lease {
	t.Helper()
	l, err := st.Lease(t.Context(), k, ttl)
	must(t, "Lease", err)
	if l.Fence == 0 || l.TTL <= 0 || l.TTL > ttl {
		t.Fatalf("Lease for %v = %+v", ttl, l)
	}
	return l
}

func testLease(t *testing.T, s *suite) {
	st, k, other := s.open(t), key(states.KindCredential), key(states.KindCredential)
	l1 := lease(t, st, k, late)
	_, err := st.Lease(t.Context(), k, late)
	wantErr(t, "Lease while it is held", err, storage.ErrHeld)
	lease(t, st, other, late)

	// A lease is no entry, and keeps nobody from writing one.
	_, err = st.Get(t.Context(), k)
	wantErr(t, "Get where only a lease is", err, storage.ErrNotFound)
	g := put(t, st, k, "v", 0, never)
	must(t, "Delete under a lease", st.Delete(t.Context(), k, g))
	_, err = st.Lease(t.Context(), k, late)
	wantErr(t, "Lease after the entry was deleted", err, storage.ErrHeld)

	// Only its own fence ends it.
	must(t, "Release with another fence", st.Release(t.Context(), k, l1.Fence+1))
	must(t, "Release with fence 0", st.Release(t.Context(), k, 0))
	must(t, "Release with a fence that no lease has", st.Release(t.Context(), k, math.MaxUint64))
	_, err = st.Lease(t.Context(), k, late)
	wantErr(t, "Lease after a foreign Release", err, storage.ErrHeld)
	must(t, "Release", st.Release(t.Context(), k, l1.Fence))
	l2 := lease(t, st, k, late)
	if l2.Fence <= l1.Fence {
		t.Fatalf("the fence went from %d to %d", l1.Fence, l2.Fence)
	}
	must(t, "late Release", st.Release(t.Context(), k, l1.Fence))
	_, err = st.Lease(t.Context(), k, late)
	wantErr(t, "Lease after a late Release of the one before", err, storage.ErrHeld)
	must(t, "Release", st.Release(t.Context(), k, l2.Fence))
	must(t, "second Release", st.Release(t.Context(), k, l2.Fence))
	must(t, "Release where no lease ever was", st.Release(t.Context(), key(states.KindMark), 3))
}

func testLeaseRunsOut(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	var last uint64
	for round := range 3 {
		before := s.now()
		l := lease(t, st, k, soon)
		if l.Fence <= last {
			t.Fatalf("round %d: the fence went from %d to %d", round, last, l.Fence)
		}
		stale := last
		last = l.Fence
		if s.advance != nil {
			s.advance(soon - 2*time.Millisecond)
			_, err := st.Lease(t.Context(), k, late)
			wantErr(t, "Lease shortly before it runs out", err, storage.ErrHeld)
		}
		s.pass(t, soon+time.Millisecond, "the lease's end", func() bool {
			next, err := st.Lease(t.Context(), k, late)
			if errors.Is(err, storage.ErrHeld) {
				return false
			}
			must(t, "Lease", err)
			if s.now().Before(before.Add(soon - apart)) {
				t.Fatalf("the lease ended %v early", before.Add(soon).Sub(s.now()))
			}
			if next.Fence <= last {
				t.Fatalf("the fence went from %d to %d", last, next.Fence)
			}
			last = next.Fence
			return true
		})
		// Earlier holders end nothing.
		must(t, "Release by the one before", st.Release(t.Context(), k, l.Fence))
		must(t, "Release by one long before", st.Release(t.Context(), k, stale))
		_, err := st.Lease(t.Context(), k, late)
		wantErr(t, "Lease after foreign Releases", err, storage.ErrHeld)
		must(t, "Release", st.Release(t.Context(), k, last))
	}
}

// testLeaseEnds: a lease is held until its time is over, to the millisecond, and
// an entry is there just as long.
func testLeaseEnds(t *testing.T, s *suite) {
	if s.advance == nil {
		t.Log("the store's clock is not the test's")
		return
	}
	st, k := s.open(t), key(states.KindCredential)
	lease(t, st, k, time.Second)
	put(t, st, k, "v", 0, s.now().Add(time.Second))
	for range 40 { // others that end before, for stores that sweep
		other := key(states.KindLogin)
		lease(t, st, other, time.Second/2)
		put(t, st, other, "v", 0, s.now().Add(time.Second/2))
	}
	s.advance(time.Second - time.Millisecond)
	_, err := st.Lease(t.Context(), k, time.Second)
	wantErr(t, "Lease a millisecond before the end", err, storage.ErrHeld)
	get(t, st, k)
	s.advance(time.Millisecond)
	lease(t, st, k, time.Second)
	_, err = st.Get(t.Context(), k)
	wantErr(t, "Get at the expiry", err, storage.ErrNotFound)
}

func testLeaseRace(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	var last uint64
	for range 5 {
		got := make([]storage.Lease, 16)
		errs := together(16, func(i int) (err error) {
			got[i], err = st.Lease(t.Context(), k, late)
			return err
		})
		if won := countOf(t, errs, storage.ErrHeld); won != 1 {
			t.Fatalf("%d of 16 callers got the lease", won)
		}
		for i, err := range errs {
			if err == nil {
				if got[i].Fence <= last {
					t.Fatalf("the fence went from %d to %d", last, got[i].Fence)
				}
				last = got[i].Fence
			}
		}
		must(t, "Release", st.Release(t.Context(), k, last))
	}
}

func testLeaseTTL(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	for _, ttl := range []time.Duration{0, -time.Second} {
		_, err := st.Lease(t.Context(), k, ttl)
		wantErr(t, "Lease for "+ttl.String(), err, storage.ErrLease)
	}
	lease(t, st, k, time.Millisecond)
}

// method is a method of a store as a call with a context.
type method struct {
	name string
	call func(context.Context) error
}

// calls gives every method of a store, the optional ones as well.
func (s *suite) calls(st storage.Store, k states.Key) []method {
	all := []method{
		{"Get", func(ctx context.Context) error { _, err := st.Get(ctx, k); return err }},
		{"GetHeld", func(ctx context.Context) error { _, _, err := storage.GetHeld(ctx, st, k); return err }},
		{"Put", func(ctx context.Context) error { _, err := st.Put(ctx, k, []byte("x"), 0, never); return err }},
		{"PutAndRelease", func(ctx context.Context) error {
			_, err := storage.PutAndRelease(ctx, st, k, []byte("x"), 0, never, 1)
			return err
		}},
		{"Delete", func(ctx context.Context) error { return st.Delete(ctx, k, 1) }},
		{"Delete of a generation that is none", func(ctx context.Context) error { return st.Delete(ctx, k, math.MaxUint64) }},
		{"Lease", func(ctx context.Context) error { _, err := st.Lease(ctx, k, late); return err }},
		{"LeaseAndGet", func(ctx context.Context) error { _, err := storage.LeaseAndGet(ctx, st, k, late); return err }},
		{"Release", func(ctx context.Context) error { return st.Release(ctx, k, 1) }},
	}
	if s.noLister {
		return all
	}
	if l, ok := st.(storage.Lister); ok {
		all = append(all,
			method{"List", func(ctx context.Context) error { _, err := l.List(ctx, k.Tenant, k.Subject); return err }},
			method{"Entries", func(ctx context.Context) error {
				return storage.Entries(ctx, st, k.Tenant, k.Subject, func(states.Key, storage.Entry, error) error { return nil })
			}})
	}
	if l, ok := st.(storage.KeyLister); ok {
		all = append(all, method{"Keys", func(ctx context.Context) error { return l.Keys(ctx, func(states.Key) error { return nil }) }})
	}
	return all
}

func testCancelled(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	overdue, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for _, c := range s.calls(st, k) {
		wantErr(t, c.name+" with a cancelled context", c.call(cancelled), context.Canceled)
		wantErr(t, c.name+" with a context past its deadline", c.call(overdue), context.DeadlineExceeded)
	}
	// Nothing happened, and the store still works.
	_, err := st.Get(t.Context(), k)
	wantErr(t, "Get after cancelled calls", err, storage.ErrNotFound)
	lease(t, st, k, late)
	put(t, st, k, "v", 0, never)
}

func testPair(t *testing.T, s *suite) {
	if s.pair == nil {
		t.Log("one handle only: the backend's test gave no Pair")
		return
	}
	a, b := s.pair(t)
	k := key(states.KindCredential)
	g1 := put(t, a, k, "from a", 0, never)
	if e := get(t, b, k); string(e.Value) != "from a" || e.Generation != g1 {
		t.Fatalf("the other handle sees %q, %d", e.Value, e.Generation)
	}
	g2 := put(t, b, k, "from b", g1, never)
	_, err := a.Put(t.Context(), k, []byte("x"), g1, never)
	wantErr(t, "Put over what the other has replaced", err, storage.ErrConflict)
	wantErr(t, "Delete of what the other has replaced", a.Delete(t.Context(), k, g1), storage.ErrConflict)
	must(t, "Delete of what the other wrote", a.Delete(t.Context(), k, g2))
	wantErr(t, "Delete of what the other deleted", b.Delete(t.Context(), k, g2), storage.ErrNotFound)
	if g := put(t, b, k, "again", 0, never); g == g1 || g == g2 {
		t.Fatalf("generation %d came twice", g)
	}

	l := lease(t, a, k, late)
	_, err = b.Lease(t.Context(), k, late)
	wantErr(t, "Lease that the other holds", err, storage.ErrHeld)
	must(t, "Release of what the other holds", b.Release(t.Context(), k, l.Fence))
	if next := lease(t, b, k, soon); next.Fence <= l.Fence {
		t.Fatalf("the fence went from %d to %d", l.Fence, next.Fence)
	}
	s.pass(t, soon+time.Millisecond, "the end of the other's lease", func() bool {
		_, err := a.Lease(t.Context(), k, late)
		return err == nil
	})

	handles := []storage.Store{a, b}
	for range 3 {
		claim := key(states.KindLogin)
		g := put(t, a, claim, "login", 0, never)
		errs := together(16, func(i int) error { return handles[i%2].Delete(t.Context(), claim, g) })
		if won := countOf(t, errs, storage.ErrNotFound, storage.ErrConflict); won != 1 {
			t.Fatalf("%d of 16 callers on two handles claimed one login", won)
		}
		leased := key(states.KindCredential)
		errs = together(16, func(i int) error { _, err := handles[i%2].Lease(t.Context(), leased, late); return err })
		if won := countOf(t, errs, storage.ErrHeld); won != 1 {
			t.Fatalf("%d of 16 callers on two handles got one lease", won)
		}
	}
}

func testBroken(t *testing.T, s *suite) {
	if s.broken == nil {
		t.Log("never out of order: the backend's test gave no Broken")
		return
	}
	st := s.broken(t)
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	for _, c := range s.calls(st, key(states.KindCredential)) {
		if err := c.call(ctx); storage.IsAnswer(err) {
			t.Errorf("%s on a broken store answers %v", c.name, err)
		}
	}
}
