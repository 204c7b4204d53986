package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
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

// TestTokensThatAreOverAtOnce: an issuer whose tokens expire the moment that they are given is
// asked for one with each request, and not without end because the server has taken one.
func TestTokensThatAreOverAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		c := w.client(t, w.driver(t))
		for range 3 {
			w.call(t, c)
			synctest.Wait()
		}
		if n := w.Tap.grants("authorization_code") + w.Tap.grants("refresh_token"); n > 4 {
			t.Errorf("%d tokens were obtained", n)
		}
	}, func(s setup) { *s.Faults = []string{"token-expires-zero"} })
}

// TestTokensWithoutAnExpiry: a token whose issuer names no expiry is used until it is refused.
// After the first request, no request makes the machine do anything.
func TestTokensWithoutAnExpiry(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		steps := new(atomic.Int64)
		c := w.client(t, w.driver(t, func(o *httpdriver.Options) { o.Observe = func(httpdriver.Step) { steps.Add(1) } }))
		w.call(t, c)
		synctest.Wait()
		steps.Store(0)
		for range 3 {
			time.Sleep(10 * time.Minute)
			w.call(t, c)
			synctest.Wait()
		}
		if n := steps.Load(); n > 0 {
			t.Errorf("%d steps for requests with a valid token", n)
		}
	}, func(s setup) { *s.Faults = []string{"token-expires-absent"} })
}

// TestRequestDuringALogout: who logs out does not wait for the login that a request begins
// meanwhile, and the request is answered after that login.
func TestRequestDuringALogout(t *testing.T) {
	revoking := &slowly{path: "/revoke", wait: 5 * time.Second}
	revoking.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		visits, asked := w.options.Host.(httpdriver.UserAgent), 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				if asked++; asked > 1 {
					time.Sleep(2 * time.Minute)
				}
				return visits(ctx, v)
			})
		})
		c := w.client(t, d)
		w.call(t, c)
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			if err := d.Logout(t.Context(), w.account()); err != nil || time.Since(began) > time.Minute {
				t.Errorf("the log out: %v, after %v", err, time.Since(began))
			}
		})
		synctest.Wait()
		w.call(t, c)
		all.Wait()
		if asked != 2 {
			t.Errorf("the user was asked %d times", asked)
		}
	}, func(s setup) { s.Wrap["as"] = revoking.wrap })
}

// TestTimeOfAnotherProcess: the time for which a login waits for the user of another process is no
// time of its own: it is not over when that user has denied.
func TestTimeOfAnotherProcess(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		first := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(context.Context, httpdriver.Visit) (string, error) {
				time.Sleep(5 * time.Minute)
				return "", errors.New("nobody is there")
			})
		})
		go func() { _, _, _ = w.post(t.Context(), w.client(t, first), ping) }()
		synctest.Wait()
		began := time.Now()
		w.call(t, w.client(t, w.driver(t)))
		if waited := time.Since(began); waited < 4*time.Minute {
			t.Errorf("it waited for %v", waited)
		}
	})
}
