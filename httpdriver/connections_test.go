package httpdriver_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage"
)

// lent is a store that lends connections; those that are not urgent are waited for. asked says
// which of them were urgent.
type lent struct {
	storage.Store
	wait  time.Duration
	mu    sync.Mutex
	used  int
	asked []bool
}

func (s *lent) Queue(_ context.Context, urgent bool) (done func(), err error) {
	if !urgent {
		time.Sleep(s.wait)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used++
	s.asked = append(s.asked, urgent)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.used--
	}, nil
}

// TestConnectionsAreGivenBack: a connection to the store is given back when the question is
// answered, whatever was asked. Who holds a lease is urgent, until it is released.
func TestConnectionsAreGivenBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		store := &lent{Store: w.Store}
		use := func(o *httpdriver.Options) { o.Store = store }
		d := w.driver(t, use)
		for _, do := range []struct {
			what   string
			do     func()
			urgent bool // the last of them
		}{
			{"a login", func() { w.call(t, w.client(t, d)) }, false},
			{"the first request of another process", func() { w.call(t, w.client(t, w.driver(t, use))) }, false},
			{"a refresh", func() { time.Sleep(2 * time.Hour); w.call(t, w.client(t, d)) }, true},
			{"a log out", func() {
				if err := d.Logout(t.Context(), w.account()); err != nil {
					t.Error(err)
				}
			}, false},
		} {
			do.do()
			synctest.Wait()
			if n := store.used; n != 0 || store.asked[len(store.asked)-1] != do.urgent || !do.urgent && slices.Contains(store.asked, true) {
				t.Fatalf("%s: %d connections are not given back; urgent: %v", do.what, n, store.asked)
			}
			store.asked = nil
		}
	})
}

// TestNewProcessWaitsForARefresh: a process that begins while another one refreshes watches the
// credential, instead of reading it again and again, and has the token soon after it is stored.
// A login watches nothing, and who looks whether a refused token was refreshed watches once.
func TestNewProcessWaitsForARefresh(t *testing.T) {
	issuer := &slowly{path: "/token", wait: 10 * time.Second}
	inBubble(t, func(t *testing.T, w *world) {
		c := w.client(t, w.driver(t))
		w.call(t, c)
		time.Sleep(2 * time.Hour)
		issuer.on.Store(true)
		var all sync.WaitGroup
		all.Go(func() { w.call(t, c) })
		synctest.Wait()
		store := &tallied{counted: counted{Memory: w.Store.(*storage.Memory)}}
		began := time.Now()
		w.call(t, w.client(t, w.driver(t, func(o *httpdriver.Options) { o.Store = store })))
		all.Wait()
		if took := time.Since(began); !near(took, 10*time.Second, 1500*time.Millisecond) || store.reads.Load() > 8 {
			t.Errorf("it took %v, with %d readings", took, store.reads.Load())
		}
		synctest.Wait()
		if n, ended := store.watches.Load(), store.ended.Load(); n != 1 || ended != 1 {
			t.Errorf("%d watches, of which %d have ended", n, ended)
		}
		store = &tallied{counted: counted{Memory: storage.NewMemory()}}
		d := w.driver(t, func(o *httpdriver.Options) { o.Store = store })
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Error(err)
		}
		if n := store.watches.Load(); n != 0 {
			t.Errorf("%d watches of a login", n)
		}
		if status, _, err := w.post(t.Context(), w.client(t, d), admin); err != nil || status != http.StatusOK {
			t.Errorf("%d %v", status, err)
		}
		if n := store.watches.Load(); n > 1 {
			t.Errorf("%d watches of a refused token", n)
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}
