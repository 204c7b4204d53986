package httpdriver_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// issuerGate counts the token requests that are at the issuer, and lets them go on one by one.
type issuerGate struct {
	inside, all atomic.Int64
	on          atomic.Bool
	answer      chan struct{}
	refuses     atomic.Bool // what goes on is refused
}

func (g *issuerGate) wrap(h http.Handler) http.Handler {
	g.answer = make(chan struct{})
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" && g.on.Load() {
			g.inside.Add(1)
			g.all.Add(1)
			<-g.answer
			g.inside.Add(-1)
			if g.refuses.Load() {
				http.Error(rw, "down", http.StatusServiceUnavailable)
				return
			}
		}
		h.ServeHTTP(rw, r)
	})
}

// expired logs users in, and lets their tokens expire.
func (w *world) expired(t *testing.T, d *httpdriver.Driver, users ...string) (refresh func(user string)) {
	t.Helper()
	account := func(user string) httpdriver.Account {
		a := w.account()
		a.Subject = user
		return a
	}
	for _, user := range users {
		if err := d.Login(t.Context(), account(user)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * time.Hour)
	return func(user string) {
		ctx := t.Context()
		go func() { _, _ = d.Token(ctx, account(user)) }()
		synctest.Wait()
	}
}

// TestLaterRefreshesAreBounded: the bound on refreshes holds for one that comes when the first
// has its answer and the second is under way.
func TestLaterRefreshesAreBounded(t *testing.T) {
	g := &issuerGate{}
	inBubble(t, func(t *testing.T, w *world) {
		refresh := w.expired(t, w.driver(t, func(o *httpdriver.Options) { o.MaxRefreshes = 1 }), "one", "two", "three")
		g.on.Store(true)
		refresh("one")
		refresh("two")
		g.answer <- struct{}{}
		synctest.Wait()
		refresh("three")
		if n := g.inside.Load(); n != 1 {
			t.Errorf("%d refreshes at once", n)
		}
		g.on.Store(false)
		close(g.answer)
		synctest.Wait()
	}, func(s setup) { s.Wrap["as"] = g.wrap })
}

// TestOneProbeAtATime: while one refresh finds out whether an issuer is still in trouble, another
// one is sent there after a second and not before.
func TestOneProbeAtATime(t *testing.T) {
	g := &issuerGate{}
	inBubble(t, func(t *testing.T, w *world) {
		refresh := w.expired(t, w.driver(t), "one", "two", "three", "four")
		g.on.Store(true)
		g.refuses.Store(true)
		refresh("one")
		g.answer <- struct{}{}
		time.Sleep(20 * time.Second) // it is tried more than once
		for g.inside.Load() > 0 {
			g.answer <- struct{}{}
			time.Sleep(20 * time.Second)
		}
		before := g.all.Load()
		for i, user := range []string{"two", "three", "four"} {
			refresh(user)
			if n, want := g.all.Load()-before, []int64{1, 1, 2}[i]; n != want {
				t.Errorf("%s: %d refreshes at once instead of %d", user, n, want)
			}
			time.Sleep(600 * time.Millisecond)
		}
		g.on.Store(false)
		close(g.answer)
		synctest.Wait()
	}, func(s setup) { s.Wrap["as"] = g.wrap })
}
