package httpdriver_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
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
		if _, _, err := w.post(t.Context(), c, ping); err == nil {
			t.Fatal("no error")
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
