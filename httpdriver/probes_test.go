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

// refresh lets an account want its token, and waits until nothing moves.
func refresh(t *testing.T, d *httpdriver.Driver, a httpdriver.Account) {
	t.Helper()
	ctx := t.Context()
	go func() { _, _ = d.Token(ctx, a) }()
	synctest.Wait()
}

// TestLaterRefreshesAreBounded: the bound on refreshes holds for one that comes when the first
// has its answer and the second is under way.
func TestLaterRefreshesAreBounded(t *testing.T) {
	g := &issuerGate{}
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, func(o *httpdriver.Options) { o.MaxRefreshes = 1 })
		accounts := w.lapsed(t, d, "one", "two", "three")
		g.on.Store(true)
		refresh(t, d, accounts[0])
		refresh(t, d, accounts[1])
		g.answer <- struct{}{}
		synctest.Wait()
		refresh(t, d, accounts[2])
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
		d := w.driver(t)
		accounts := w.lapsed(t, d, "one", "two", "three", "four")
		g.on.Store(true)
		g.refuses.Store(true)
		refresh(t, d, accounts[0])
		g.answer <- struct{}{}
		time.Sleep(20 * time.Second) // it is tried more than once
		for g.inside.Load() > 0 {
			g.answer <- struct{}{}
			time.Sleep(20 * time.Second)
		}
		before := g.all.Load()
		for i, a := range accounts[1:] {
			refresh(t, d, a)
			if n, want := g.all.Load()-before, []int64{1, 1, 2}[i]; n != want {
				t.Errorf("%s: %d refreshes at once instead of %d", a.Name, n, want)
			}
			time.Sleep(600 * time.Millisecond)
		}
		g.on.Store(false)
		close(g.answer)
		synctest.Wait()
	}, func(s setup) { s.Wrap["as"] = g.wrap })
}
