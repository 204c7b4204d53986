package httpdriver_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// TestChangeWhileWaitingForATurn: another process refreshes a token while this one waits for its
// turn at the token endpoint. That does not disturb the request that waits.
func TestChangeWhileWaitingForATurn(t *testing.T) {
	issuer := &slowly{path: "/token", wait: 10 * time.Second}
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, func(o *httpdriver.Options) { o.MaxRefreshes = 1 })
		client := func(d *httpdriver.Driver, name string) *http.Client {
			a := w.account()
			a.Name = name
			c, err := d.Client(a)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		var all sync.WaitGroup
		names := []string{"one", "two"}
		for _, name := range names {
			w.call(t, client(d, name))
		}
		time.Sleep(2 * time.Hour)
		issuer.on.Store(true)
		for _, name := range names {
			all.Go(func() { w.call(t, client(d, name)) })
			synctest.Wait()
		}
		issuer.on.Store(false)
		w.call(t, client(w.driver(t), "two"))
		all.Wait()
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}

// TestFirstUseDuringALogin: the first request with a new token does not wait for a login that is
// under way, whose user may take minutes.
func TestFirstUseDuringALogin(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		visits, come, asked := w.options.Host.(httpdriver.UserAgent), make(chan struct{}), 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				if asked++; asked > 1 {
					<-come
				}
				return visits(ctx, v)
			})
		})
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		again := make(chan error, 1)
		go func() { again <- d.Login(t.Context(), w.account()) }()
		synctest.Wait()
		began := time.Now()
		w.call(t, w.client(t, d))
		if took := time.Since(began); took > time.Second || len(again) > 0 {
			t.Errorf("it took %v", took)
		}
		close(come)
		if err := <-again; err != nil {
			t.Error(err)
		}
	})
}

// TestLeaseAfterAWait: the time in which a connection is waited for does not count as time of
// the lease that is asked for then.
func TestLeaseAfterAWait(t *testing.T) {
	issuer := &slowly{path: "/token", wait: 20 * time.Second}
	inBubble(t, func(t *testing.T, w *world) {
		store := &lent{Store: w.Store}
		c := w.client(t, w.driver(t, func(o *httpdriver.Options) {
			o.Store, o.Policy.HTTPTime, o.Policy.LeaseTime = store, 25*time.Second, time.Minute
		}))
		w.call(t, c)
		time.Sleep(2 * time.Hour)
		issuer.on.Store(true)
		store.wait = 50 * time.Second
		w.call(t, c)
		if n := w.Tap.grants("refresh_token"); n != 1 {
			t.Errorf("%d refreshes", n)
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}
