package httpdriver_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestRedirectBesideARefresh: a redirect finishes the login of a link while a request waits for
// the refresh of another process. The request is not given up for that.
func TestRedirectBesideARefresh(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.call(t, w.client(t, w.driver(t)))
		time.Sleep(2 * time.Hour)
		d := w.driver(t, web)
		need := required(t, w.driver(t, web).Login(t.Context(), w.account()))
		raw, err := followBy(t.Context(), &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}, httpdriver.Visit{URL: need.URL})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Store.Lease(t.Context(), states.Key{Kind: states.KindCredential, Name: w.Server}, 30*time.Second); err != nil {
			t.Fatal(err)
		}
		answered := asks(t.Context(), w, w.client(t, d))
		time.Sleep(time.Second)
		if _, err := d.Redirected(t.Context(), raw, httpdriver.Owner{}); err != nil {
			t.Error(err)
		}
		if err := <-answered; err != nil {
			t.Errorf("the request: %v", err)
		}
	})
}

// TestFirstRequestBesideARefresh: a request that is the first but one of an account in this
// process waits for the refresh that the first one has begun. It is not sent without a token.
func TestFirstRequestBesideARefresh(t *testing.T) {
	issuer := &slowly{path: "/token", wait: 3 * time.Second}
	inBubble(t, func(t *testing.T, w *world) {
		w.call(t, w.client(t, w.driver(t)))
		time.Sleep(2 * time.Hour)
		issuer.on.Store(true)
		w.Tap.reset()
		c := w.client(t, w.driver(t))
		first := asks(t.Context(), w, c)
		synctest.Wait()
		for _, err := range []error{<-asks(t.Context(), w, c), <-first} {
			if err != nil {
				t.Error(err)
			}
		}
		w.exactly(t, 3) // the refresh, and each request once
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}

// TestWishesWhileTheHostIsAsked: what others want of a login while its host takes its time does
// not count the host's time as the login's.
func TestWishesWhileTheHostIsAsked(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		next := w.options.Host
		d := w.driver(t, func(o *httpdriver.Options) { o.Host = tardy{next} })
		answered := asks(t.Context(), w, w.client(t, d))
		time.Sleep(time.Second)
		if err := d.Login(t.Context(), w.account(), "admin"); err != nil {
			t.Error(err)
		}
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

// TestTimeBeforeTheHostIsAsked: what a login has taken before its host was asked counts
// afterwards.
func TestTimeBeforeTheHostIsAsked(t *testing.T) {
	before := &slowly{path: "/.well-known/oauth-authorization-server", wait: 40 * time.Second}
	after := &slowly{path: "/register", wait: 40 * time.Second}
	before.on.Store(true)
	after.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		next := w.options.Host
		d := w.driver(t, func(o *httpdriver.Options) { o.Host, o.Policy.HTTPTime = tardy{next}, time.Minute })
		began := time.Now()
		if err := d.Login(t.Context(), w.account()); err == nil || !near(time.Since(began), 3*time.Minute, time.Second) {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
	}, func(s setup) { s.Wrap["as"] = func(h http.Handler) http.Handler { return before.wrap(after.wrap(h)) } })
}

// TestStoreBackAfterTheFirstRequest: a store that failed for the first request of an account is
// read for a later one, which is not sent without the token that is stored.
func TestStoreBackAfterTheFirstRequest(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t)))
	fault := errors.New("connection refused")
	c := w.client(t, w.driver(t, func(o *httpdriver.Options) {
		o.Store = brokenStore{w.Store, func() error { return fault }}
	}))
	if _, _, err := w.post(t.Context(), c, ping); err == nil {
		t.Error("no error")
	}
	fault = nil
	w.Clock.forward(time.Minute)
	w.Tap.reset()
	w.call(t, c)
	w.exactly(t, 1)
}
