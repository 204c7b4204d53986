package httpdriver_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// full is a store all of whose connections are in use until it is free.
type full struct {
	storage.Store
	free chan struct{}
}

func (s full) Queue(ctx context.Context, _ bool) (done func(), err error) {
	select {
	case <-s.free:
		return func() {}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestLeaveTheQueue: who leaves while the store is busy, or while another request reads it,
// waits no longer, and the others are served when the store answers.
func TestLeaveTheQueue(t *testing.T) {
	for _, busy := range []bool{true, false} {
		inBubble(t, func(t *testing.T, w *world) {
			w.call(t, w.client(t, w.driver(t)))
			free, silent := make(chan struct{}), &silentStore{Store: w.Store, kind: states.KindCredential}
			store := storage.Store(full{w.Store, free})
			if !busy {
				silent.on.Store(true)
				store = silent
			}
			c := w.client(t, w.driver(t, func(o *httpdriver.Options) { o.Store = store }))
			stayed := make(chan error, 1)
			if !busy {
				go func() {
					_, _, err := w.post(t.Context(), c, ping)
					stayed <- err
				}()
				synctest.Wait()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			began := time.Now()
			if _, _, err := w.post(ctx, c, ping); !errors.Is(err, context.DeadlineExceeded) || !near(time.Since(began), 3*time.Second, time.Second) {
				t.Errorf("who left: %v, after %v", err, time.Since(began))
			}
			close(free)
			silent.on.Store(false)
			if !busy {
				if f, ok := fsm.FaultOf(<-stayed); !ok || !f.Transient { // the store never answered
					t.Errorf("who stayed: %+v", f)
				}
			}
			time.Sleep(time.Minute)
			w.call(t, c)
		})
	}
}

// slowReads is a store that takes its time for each credential, and counts them.
type slowReads struct {
	storage.Store
	wait  time.Duration
	reads atomic.Int64
}

func (s *slowReads) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if k.Kind == states.KindCredential {
		s.reads.Add(1)
		select {
		case <-time.After(s.wait):
		case <-ctx.Done():
			return storage.Entry{}, ctx.Err()
		}
	}
	return s.Store.Get(ctx, k)
}

// TestStoreSlowerThanRequests: requests that have less time than the store needs do not wait
// in vain for ever: what it answers is there for the next one. One that has the time reads
// the store once.
func TestStoreSlowerThanRequests(t *testing.T) {
	for _, patient := range []bool{true, false} {
		inBubble(t, func(t *testing.T, w *world) {
			c := w.client(t, w.driver(t))
			w.call(t, c)
			w.call(t, c)
			store := &slowReads{Store: w.Store, wait: 5 * time.Second}
			c = w.client(t, w.driver(t, func(o *httpdriver.Options) { o.Store = store }))
			if patient {
				w.call(t, c)
				time.Sleep(time.Minute)
				if n := store.reads.Load(); n != 1 {
					t.Errorf("%d reads", n)
				}
				return
			}
			answered := 0
			for range 4 {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				if status, _, err := w.post(ctx, c, ping); err == nil && status == 200 {
					answered++
				}
				cancel()
			}
			if answered != 2 {
				t.Errorf("%d of 4 requests were answered", answered)
			}
		})
	}
}

// oldRead is a store whose first answer about a credential takes ten seconds to arrive.
type oldRead struct {
	storage.Store
	asked atomic.Bool
}

func (s *oldRead) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	e, err := s.Store.Get(ctx, k)
	if k.Kind == states.KindCredential && !s.asked.Swap(true) {
		time.Sleep(10 * time.Second)
	}
	return e, err
}

// TestLogoutDuringTheFirstRead: a request that reads the store while its user logs out does
// not go on with what it has read: the token that was removed is not sent any more.
func TestLogoutDuringTheFirstRead(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		other := w.driver(t)
		w.call(t, w.client(t, other))
		old, err := other.Token(t.Context(), w.account())
		if err != nil {
			t.Fatal(err)
		}
		w.Tap.reset()
		d := w.driver(t, func(o *httpdriver.Options) { o.Store = &oldRead{Store: w.Store} })
		c, ended := w.client(t, d), make(chan struct{})
		go func() {
			defer close(ended)
			w.call(t, c)
		}()
		synctest.Wait()
		if err := d.Logout(t.Context(), w.account()); err != nil {
			t.Error(err)
		}
		<-ended
		for _, s := range w.Tap.requests() {
			if s.To == "rs" && strings.Contains(s.text(), old.AccessToken) {
				t.Errorf("%v carries the token that was removed", s)
			}
		}
	})
}

// TestLogoutBeforeTheTokenIsStored: a log out that comes while the store does not take the
// token of a login waits for the store, and revokes that token too. When the store stays
// away, the token can be neither stored nor revoked, and the log out says so.
func TestLogoutBeforeTheTokenIsStored(t *testing.T) {
	for _, c := range []struct {
		away        time.Duration
		revocations int
		err         error
	}{
		{10 * time.Second, 2, nil}, // of the access token and of the refresh token
		{25 * time.Second, 0, httpdriver.ErrNotRevoked},
	} {
		inBubble(t, func(t *testing.T, w *world) {
			store := w.awayAtTheToken()
			d := w.driver(t, func(o *httpdriver.Options) { o.Store = store })
			w.call(t, w.client(t, d))
			time.AfterFunc(c.away, func() { store.off.Store(false) })
			if err := d.Logout(t.Context(), w.account()); !errors.Is(err, c.err) {
				t.Errorf("away for %v: %v", c.away, err)
			}
			if n := w.Tap.count("as", "/revoke"); n != c.revocations {
				t.Errorf("away for %v: %d revocations", c.away, n)
			}
			if _, err := d.Token(t.Context(), w.account()); !errors.Is(err, httpdriver.ErrNoToken) {
				t.Errorf("away for %v, after the log out: %v", c.away, err)
			}
			store.off.Store(false)
			w.call(t, w.client(t, d)) // the next login need not wait
			store.off.Store(false)
			if err := d.Logout(t.Context(), w.account()); err != nil {
				t.Errorf("away for %v, the next log out: %v", c.away, err)
			}
		})
	}
}
