package httpdriver_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// renewing is a store in which the renewal of the mark takes until the user, who
// waits for it to begin, is back from the issuer.
type renewing struct {
	storage.Store
	begun, back chan struct{}
	marks       int
}

func (s *renewing) Put(ctx context.Context, k states.Key, value []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	if k.Kind == states.KindMark {
		if s.marks++; s.marks == 2 {
			close(s.begun)
			select {
			case <-s.back:
				time.Sleep(20 * time.Millisecond) // a store that is some way off: the callback is there first
			case <-ctx.Done():
			}
		}
	}
	return s.Store.Put(ctx, k, value, expected, expires)
}

// A callback that comes while the mark is renewed leaves no mark behind, for
// which everybody would wait after the login.
func TestNoMarkAfterACallbackDuringItsRenewal(t *testing.T) {
	w := newWorld(t)
	s := &renewing{Store: w.Store, begun: make(chan struct{}), back: make(chan struct{})}
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Store = s
		o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			select {
			case <-s.begun:
			case <-ctx.Done():
			}
			defer close(s.back)
			return follow(ctx, v)
		})
	})
	w.call(t, w.client(t, d))
	if s.marks < 2 {
		t.Fatal("this login renewed no mark")
	}
	m, err := fsm.New(httpdriver.Policy{}.Config(w.account()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.Get(t.Context(), m.Data.Config.MarkKey()); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the mark is still there: %v", err)
	}
}
