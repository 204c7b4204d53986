package storage_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/storetest"
)

// clock is a clock that only the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestMemory(t *testing.T) {
	c := newClock()
	storetest.Run(t, func(*testing.T) storage.Store { return storage.NewMemory(storage.Clock(c.now)) },
		storetest.Clock(c.now, c.advance),
		storetest.Pair(func(*testing.T) (storage.Store, storage.Store) {
			m := storage.NewMemory(storage.Clock(c.now))
			return m, m
		}))
}

// The suite without control of the clock, as most backends run it.
func TestMemoryOnTheWallClock(t *testing.T) {
	storetest.Run(t, func(*testing.T) storage.Store { return storage.NewMemory() })
}

// A million expired entries are dropped a few with each call, so that no call holds
// the lock for long, and all are gone after as many calls as there were writes.
func TestMemorySweepsByTheWay(t *testing.T) {
	const n = 20_000
	c := newClock()
	m := storage.NewMemory(storage.Clock(c.now))
	for i := range n {
		k := states.Key{Kind: states.KindLogin, Name: strconv.Itoa(i)}
		if _, err := m.Put(t.Context(), k, nil, 0, c.now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Lease(t.Context(), k, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	c.advance(time.Minute)
	last, calls := m.Len(), 0
	for ; last > 0 && calls <= n; calls++ {
		if _, err := m.Get(t.Context(), states.Key{Name: "none"}); !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
		left := m.Len()
		if last-left > 16 {
			t.Fatalf("a call dropped %d", last-left)
		}
		last = left
	}
	if last > 0 {
		t.Errorf("%d are left after %d calls", last, calls)
	}
}

// Expired entries are dropped, and their generations do not come back.
func TestMemoryLetsGo(t *testing.T) {
	c := newClock()
	m := storage.NewMemory(storage.Clock(c.now))
	k := states.Key{Kind: states.KindLogin, Name: "first"}
	first, err := m.Put(t.Context(), k, nil, 0, c.now().Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute)
	other := states.Key{Kind: states.KindCredential}
	var g states.Generation
	for range 3000 {
		if g, err = m.Put(t.Context(), other, nil, g, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := m.Put(t.Context(), k, nil, 0, time.Time{}); err != nil || again <= first {
		t.Fatalf("generation %d after %d, %v", again, first, err)
	}
}

// Only what has expired goes: an entry and a lease whose key is empty stay, and a list
// leaves out what has expired, also when there is more of it than a call drops.
func TestMemoryDropsNothingElse(t *testing.T) {
	c := newClock()
	m := storage.NewMemory(storage.Clock(c.now))
	var empty states.Key
	if _, err := m.Put(t.Context(), empty, []byte("kept"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Lease(t.Context(), empty, time.Hour); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := m.Put(t.Context(), states.Key{Kind: states.KindLogin, Name: strconv.Itoa(i)}, nil, 0, c.now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	c.advance(time.Minute)
	keys, err := m.List(t.Context(), "", "")
	if err != nil || len(keys) != 1 || keys[0] != empty {
		t.Errorf("listed are %v, %v", keys, err)
	}
	if e, held, err := m.GetHeld(t.Context(), empty); err != nil || string(e.Value) != "kept" || !held {
		t.Errorf("%q, held %v, %v", e.Value, held, err)
	}
}
