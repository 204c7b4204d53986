package pgstore_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/storage/pgstore"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// What changed between the beginning of a watch and the moment from which the server tells
// of changes is not missed: the watcher is told to look once at that moment.
func TestWatchBeginsWithALook(t *testing.T) {
	s := open(t, realservers.Postgres(t))
	changed, stop := s.Watch(k)
	defer stop()
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Fatal("nothing is told")
	}
}

// told waits for a change.
func told(t *testing.T, what string, changed <-chan struct{}) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatalf("nothing is told of %s", what)
	}
}

// write changes the entry of k.
func write(t *testing.T, s *pgstore.Store) {
	t.Helper()
	e, _ := s.Get(t.Context(), k)
	if _, err := s.Put(t.Context(), k, []byte("v"), e.Generation, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// A connection that cannot listen, or is lost, is replaced, and tells of everything
// again from then on.
func TestListenerConnectsAgain(t *testing.T) {
	address := realservers.Database(t)
	writer := open(t, address)
	p := through(t, address)
	s := open(t, p.address)
	opened := p.dialled()
	var listens atomic.Int32
	p.set(func() {
		p.refuse = func() string {
			if p.dialled() == opened+2 {
				return "53300"
			}
			return ""
		}
		p.asked = func(m *message) bool {
			if m.kind == 'Q' && strings.HasPrefix(string(m.body), "LISTEN") && listens.Add(1) == 1 {
				m.body = []byte("LISTEN to something else\x00")
			}
			return true
		}
	})
	changed, stop := s.Watch(k)
	defer stop()
	told(t, "the beginning", changed)
	write(t, writer)
	told(t, "a write", changed)
	p.set(func() { p.said = func(m *message) bool { return m.kind != 'A' } })
	write(t, writer)
	told(t, "a lost connection", changed) // after which it looks
	p.set(func() { p.said = nil })
	if n := p.dialled() - opened; n != 4 {
		t.Errorf("%d connections listened", n)
	}
	write(t, writer)
	told(t, "a write after it", changed)
}

// However many keys are watched, one connection listens, and it ends with the store.
// After its end a store does not connect any more.
func TestOneListener(t *testing.T) {
	address := realservers.Database(t)
	other := open(t, address)
	p := through(t, address)
	s := open(t, p.address)
	var listens atomic.Int32
	p.set(func() {
		p.asked = func(m *message) bool {
			if m.kind == 'Q' && strings.HasPrefix(string(m.body), "LISTEN") {
				listens.Add(1)
			}
			return true
		}
	})
	first, stop := s.Watch(k)
	defer stop()
	told(t, "the beginning", first)
	second, stop := s.Watch(k)
	defer stop()
	since, stop := other.Watch(k)
	defer stop()
	told(t, "another's beginning", since) // which is later than the second's
	write(t, other)
	told(t, "a write", first)
	told(t, "a write, the second,", second)
	if n := listens.Load(); n != 1 {
		t.Errorf("%d connections listen", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	p.ended(t)

	late := open(t, p.address)
	before := p.dialled()
	_, stop = late.Watch(k)
	defer stop()
	if err := late.Close(); err != nil {
		t.Error(err)
	}
	another := open(t, address)
	since, stop = another.Watch(k)
	defer stop()
	told(t, "another's beginning", since)
	if n := p.dialled() - before; n > 0 {
		t.Errorf("connected %d times after its end", n)
	}
	p.ended(t)
}
