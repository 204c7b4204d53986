package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/storage"
)

// TestCoolingDown: what may pass is tried again after a second, and after twice
// as long each time up to half a minute; what needs the user after a minute.
func TestCoolingDown(t *testing.T) {
	t.Run("may pass", func(t *testing.T) {
		w := newWorld(t)
		var asked atomic.Int32
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Store = brokenStore{w.Store, func() error { asked.Add(1); return errors.New("connection refused") }}
		})
		c := w.client(t, d)
		tried := func() bool {
			asked.Store(0)
			if _, _, err := w.post(t.Context(), c, ping); err == nil {
				t.Fatal("no error")
			}
			return asked.Load() > 0
		}
		if !tried() {
			t.Fatal("the first request asked nobody")
		}
		for i, span := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
			w.Clock.forward(span*time.Second - 500*time.Millisecond)
			if tried() {
				t.Errorf("failure %d: tried again before %d s", i+1, span)
				continue
			}
			w.Clock.forward(500 * time.Millisecond)
			if !tried() {
				t.Errorf("failure %d: not tried after %d s", i+1, span)
			}
		}
	})
	fromTheBeginning := func(t *testing.T, stored bool) {
		w := newWorld(t)
		if stored {
			w.call(t, w.client(t, w.driver(t)))
		}
		var asked atomic.Int32
		var down atomic.Bool
		down.Store(true)
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Store = brokenStore{w.Store, func() error {
				asked.Add(1)
				if down.Load() {
					return errors.New("connection refused")
				}
				return nil
			}}
		})
		c := w.client(t, d)
		for range 4 {
			if _, _, err := w.post(t.Context(), c, ping); err == nil {
				t.Fatal("no error")
			}
			w.Clock.forward(time.Minute)
		}
		down.Store(false)
		w.call(t, c)
		w.Clock.forward(2 * time.Hour)
		down.Store(true)
		_, _, err := w.post(t.Context(), c, ping)
		if f, ok := fsm.FaultOf(err); !ok || f.Party != states.PartyStore {
			t.Fatalf("%v", err)
		}
		w.Clock.forward(1100 * time.Millisecond)
		asked.Store(0)
		if _, _, err := w.post(t.Context(), c, ping); err == nil || asked.Load() == 0 {
			t.Errorf("not tried a second after the first failure: %v", err)
		}
	}
	t.Run("from the beginning after a login", func(t *testing.T) { fromTheBeginning(t, false) })
	t.Run("from the beginning after a token was read", func(t *testing.T) { fromTheBeginning(t, true) })
	t.Run("needs the user", func(t *testing.T) {
		w := newWorld(t)
		asked := 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				asked++
				return refuse(ctx, v)
			})
		})
		c := w.client(t, d)
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{0, 1}, {55 * time.Second, 1}, {6 * time.Second, 2}, {55 * time.Second, 2}, {6 * time.Second, 3}} {
			w.Clock.forward(step.wait)
			if _, _, err := w.post(t.Context(), c, ping); err == nil {
				t.Fatal("no error")
			}
			if asked != step.want {
				t.Fatalf("after %v the user was asked %d times", step.wait, asked)
			}
		}
	})
}

// brokenStore is a store whose credentials cannot be read.
type brokenStore struct {
	storage.Store
	err func() error
}

func (s brokenStore) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if k.Kind == states.KindCredential {
		if err := s.err(); err != nil {
			return storage.Entry{}, err
		}
	}
	return s.Store.Get(ctx, k)
}

// TestUnreadableIsNotDown: an entry that cannot be read stays so until somebody
// does something; a store that is down may be up again.
func TestUnreadableIsNotDown(t *testing.T) {
	for _, c := range []struct {
		err       error
		rule      rules.ID
		transient bool
	}{
		{&storage.UnreadableError{Key: states.Key{Kind: states.KindCredential}, Err: errors.New("sealed by another key")}, rules.StoreAAD, false},
		{errors.New("connection refused"), rules.StoreLeaseTristate, true},
	} {
		w := newWorld(t)
		d := w.driver(t, func(o *httpdriver.Options) { o.Store = brokenStore{w.Store, func() error { return c.err }} })
		_, _, err := w.post(t.Context(), w.client(t, d), ping)
		f, ok := fsm.FaultOf(err)
		if !ok || f.Party != states.PartyStore || f.Problem.Rule != c.rule || f.Transient != c.transient {
			t.Errorf("%v: %+v", c.err, f)
		}
		if _, err := d.Token(t.Context(), w.account()); err == nil || errors.Is(err, httpdriver.ErrNoToken) {
			t.Errorf("%v is told as %v", c.err, err)
		}
	}
}

// TestNoRenewalWhileItCools: while a login that its user denied is not asked for again, the requests
// that use the held token do not ask for its renewal either.
func TestNoRenewalWhileItCools(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user, denies := &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}, false
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				if denies {
					return refuse(ctx, v)
				}
				return followBy(ctx, user, v)
			})
		})
		c := w.client(t, d)
		w.call(t, c)
		time.Sleep(time.Hour - 20*time.Second)
		denies = true
		if err := d.Login(t.Context(), w.account()); err == nil {
			t.Error("the login was not denied")
		}
		w.call(t, c)
		synctest.Wait()
		if n := w.Tap.grants("refresh_token"); n != 0 {
			t.Errorf("%d refreshes", n)
		}
		time.Sleep(2 * time.Minute)
		w.call(t, c)
		if n := w.Tap.grants("refresh_token"); n != 1 {
			t.Errorf("%d refreshes after that", n)
		}
	})
}

// TestFailureThatNobodyWaitedFor: a renewal that fails in the background does not keep a request
// whose token is refused a moment later from another.
func TestFailureThatNobodyWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var down atomic.Bool
		tried := 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Store = brokenStore{w.Store, func() error {
				if tried++; down.Load() {
					return errors.New("connection refused")
				}
				return nil
			}}
		})
		c := w.client(t, d)
		w.call(t, c)
		tok, err := d.Token(t.Context(), w.account())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour - 20*time.Second)
		down.Store(true)
		tried = 0
		w.call(t, c)
		synctest.Wait()
		if tried == 0 {
			t.Error("no renewal began")
		}
		down.Store(false)
		w.revoke(t, tok.AccessToken)
		w.call(t, c)
	})
}
