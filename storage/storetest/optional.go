package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// storage.LeaseAndGet and storage.PutAndRelease keep their promises with a
// store's own methods and without them.

func testLeaseAndGet(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	l, err := storage.LeaseAndGet(t.Context(), st, k, late)
	must(t, "LeaseAndGet", err)
	wantErr(t, "the entry under a lease where none is", l.EntryErr, storage.ErrNotFound)
	if l.Lease.Fence == 0 || l.Lease.TTL <= 0 || l.Lease.TTL > late {
		t.Fatalf("LeaseAndGet for %v = %+v", late, l)
	}
	g := put(t, st, k, "v", 0, never)
	_, err = storage.LeaseAndGet(t.Context(), st, k, late)
	wantErr(t, "LeaseAndGet while it is held", err, storage.ErrHeld)
	if h, ok := st.(storage.HeldGetter); ok {
		if e, held, err := h.GetHeld(t.Context(), k); err != nil || !held || string(e.Value) != "v" {
			t.Fatalf("GetHeld while it is held = %+v, %v, %v", e, held, err)
		}
		defer func() {
			if e, held, err := h.GetHeld(t.Context(), k); err != nil || !held || e.Generation != g {
				t.Errorf("GetHeld while it is held again = %+v, %v, %v", e, held, err)
			}
		}()
	}
	_, err = storage.LeaseAndGet(t.Context(), st, k, 0)
	wantErr(t, "LeaseAndGet for no time", err, storage.ErrLease)
	must(t, "Release", st.Release(t.Context(), k, l.Lease.Fence))
	if _, held, err := storage.GetHeld(t.Context(), st, k); err != nil || held {
		t.Fatalf("GetHeld after the release: held %v, %v", held, err)
	}
	next, err := storage.LeaseAndGet(t.Context(), st, k, late)
	must(t, "LeaseAndGet", err)
	if next.EntryErr != nil || string(next.Entry.Value) != "v" || next.Entry.Generation != g || next.Lease.Fence <= l.Lease.Fence {
		t.Fatalf("LeaseAndGet = %+v after fence %d, want generation %d", next, l.Lease.Fence, g)
	}
	_, err = st.Lease(t.Context(), k, late)
	wantErr(t, "Lease after LeaseAndGet", err, storage.ErrHeld)
}

func testPutAndRelease(t *testing.T, s *suite) {
	st, k := s.open(t), key(states.KindCredential)
	write := func(value string, over states.Generation, fence uint64) (states.Generation, error) {
		return storage.PutAndRelease(t.Context(), st, k, []byte(value), over, never, fence)
	}
	l := lease(t, st, k, late)
	_, err := write("x", 7, l.Fence)
	wantErr(t, "PutAndRelease over a generation that is not there", err, storage.ErrConflict)
	if h, ok := st.(storage.HeldGetter); ok {
		_, _, err = h.GetHeld(t.Context(), k)
		wantErr(t, "GetHeld where only a lease is", err, storage.ErrNotFound)
	}
	_, err = st.Lease(t.Context(), k, late)
	wantErr(t, "Lease after a refused PutAndRelease", err, storage.ErrHeld)
	g, err := write("one", 0, l.Fence)
	must(t, "PutAndRelease of a new entry", err)
	l = lease(t, st, k, late)
	_, err = write("x", 0, l.Fence)
	wantErr(t, "PutAndRelease of a new entry where one is", err, storage.ErrConflict)
	_, err = st.Lease(t.Context(), k, late)
	wantErr(t, "Lease after a refused PutAndRelease", err, storage.ErrHeld)
	if g, err = write("two", g, l.Fence+1); err != nil {
		t.Fatalf("PutAndRelease with another's fence: %v", err)
	}
	for _, fence := range []uint64{0, math.MaxUint64} {
		if g, err = write("two", g, fence); err != nil {
			t.Fatalf("PutAndRelease with fence %d: %v", fence, err)
		}
	}
	_, err = st.Lease(t.Context(), k, late)
	wantErr(t, "Lease after another's PutAndRelease", err, storage.ErrHeld)
	g, err = write("three", g, l.Fence)
	must(t, "PutAndRelease", err)
	lease(t, st, k, late)
	if e := get(t, st, k); string(e.Value) != "three" || e.Generation != g {
		t.Fatalf("after it: %q, generation %d; want three, %d", e.Value, e.Generation, g)
	}
}

// testWatch: a change is told soon, also through another process's handle; a write
// under a lease is told when the lease is released.
func testWatch(t *testing.T, s *suite) {
	a := s.open(t)
	b := a
	if s.pair != nil {
		a, b = s.pair(t)
	}
	k := key(states.KindCredential)
	changed, stop := storage.Watch(a, k)
	defer stop()
	if changed == nil {
		t.Log("the store is no storage.Watcher, which is optional")
		return
	}
	told := func(what string, do func()) {
		t.Helper()
		for deadline := time.Now().Add(bound); ; {
			do()
			select {
			case <-changed:
				return
			case <-time.After(time.Second):
				// The first may have come before the watch was complete.
				if time.Now().After(deadline) {
					t.Fatalf("nothing was told of %s", what)
				}
			}
		}
	}
	var g states.Generation
	told("a write", func() { g = put(t, b, k, "v", g, never) })
	for len(changed) > 0 {
		<-changed
	}
	l := lease(t, b, k, late)
	begun := time.Now()
	g = put(t, b, k, "intent", g, never)
	select {
	case <-changed:
		// Allowed: a watch may tell of nothing.
	case <-time.After(50 * time.Millisecond):
	}
	_, err := storage.PutAndRelease(t.Context(), b, k, []byte("token"), g, never, l.Fence)
	must(t, "PutAndRelease", err)
	select {
	case <-changed:
	case <-time.After(bound):
		t.Fatalf("nothing was told of a release, %v after the write under the lease", time.Since(begun))
	}
}
