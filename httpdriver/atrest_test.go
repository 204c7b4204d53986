package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// between calls f when an account has just come from one state to another, and before its run
// looks whether anything else has arrived.
func between(from, to states.State, f func()) func(*httpdriver.Options) {
	var once sync.Once
	return func(o *httpdriver.Options) {
		o.Observe = func(s httpdriver.Step) {
			if s.From.State == from && s.Result.Machine.State == to {
				once.Do(f)
			}
		}
	}
}

// TestRefusedAtTheEnd: a request that is refused for want of a scope at the moment in which
// something else comes to its end, here the note that the token was accepted, is not answered
// by that end: it gets the scope.
func TestRefusedAtTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var c *http.Client
		var all sync.WaitGroup
		d := w.driver(t, between(states.Accepting, states.Authorized, func() {
			all.Go(func() {
				if status, _, err := w.post(t.Context(), c, admin); err != nil || status != 200 {
					t.Errorf("the request that needs more: %d %v", status, err)
				}
			})
			synctest.Wait()
		}))
		c = w.client(t, d)
		w.call(t, c)
		all.Wait()
		if n := w.Tap.grants("authorization_code"); n != 2 {
			t.Errorf("%d logins", n)
		}
	})
}

// TestRefusedAsALoginFails: a request that is refused at the moment in which its user has
// denied the login gets that denial, and the user is not asked again.
func TestRefusedAsALoginFails(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var c *http.Client
		var all sync.WaitGroup
		asked := 0
		denied := func() {
			_, _, err := w.post(t.Context(), c, ping)
			if f, ok := fsm.FaultOf(err); !ok || f.Problem.OAuth == nil || f.Problem.OAuth.Code != "access_denied" {
				t.Errorf("%v", err)
			}
		}
		d := w.driver(t, between(states.Withdrawing, states.Failed, func() {
			all.Go(denied)
			synctest.Wait()
		}), func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				asked++
				return refuse(ctx, v)
			})
		})
		c = w.client(t, d)
		denied()
		all.Wait()
		if asked != 1 || w.Tap.count("rs", "/mcp") != 2 {
			t.Errorf("the user was asked %d times, after %d requests", asked, w.Tap.count("rs", "/mcp"))
		}
	})
}

// TestBoundAsALoginFails: an address that a host binds at the moment in which the login fails
// does not stay open.
func TestBoundAsALoginFails(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := &heedless{Host: w.options.Host}
		d := w.driver(t, between(states.Withdrawing, states.Failed, func() {
			time.Sleep(time.Hour) // the host binds
			synctest.Wait()
		}), func(o *httpdriver.Options) { o.Host = h })
		go func() { _ = d.Login(t.Context(), w.account()) }()
		synctest.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if bound, open := h.bound.Load(), h.open.Load(); bound != 1 || open != 0 {
			t.Errorf("%d addresses were bound, and %d are still open", bound, open)
		}
	})
}

// TestCloseWhileTheStoreIsAway: a token that cannot be stored because the store is away holds
// up Close for 20 seconds at most.
func TestCloseWhileTheStoreIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		store := w.awayAtTheToken()
		d := w.driver(t, func(o *httpdriver.Options) { o.Store = store })
		w.call(t, w.client(t, d))
		began := time.Now()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); !near(took, 20*time.Second, time.Second) {
			t.Errorf("Close took %v", took)
		}
	})
}

// TestLogoutDuringALogin: a user who logs out while a login waits for them has ended that
// login: nobody waits for it any more, and nothing of it remains in the store.
func TestLogoutDuringALogin(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := newUser()
		d := w.driver(t, h.host)
		ended := make(chan error, 1)
		go func() { ended <- d.Login(t.Context(), w.account()) }()
		v := <-h.sent
		began := time.Now()
		if err := d.Logout(t.Context(), w.account()); err != nil {
			t.Error(err)
		}
		if f, ok := fsm.FaultOf(<-ended); !ok || f.Problem.Rule != rules.HouseCancel || time.Since(began) > time.Second {
			t.Errorf("who waited for the login: %+v, after %v", f, time.Since(began))
		}
		<-h.left
		raw, err := followBy(t.Context(), &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}, v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Redirected(t.Context(), raw, httpdriver.Owner{}); !errors.Is(err, httpdriver.ErrUnknownLogin) {
			t.Errorf("the redirect of that login: %v", err)
		}
		if st, err := d.Status(t.Context(), w.account()); err != nil || st.LoggedIn {
			t.Errorf("%+v %v", st, err)
		}
	})
}

// TestLogoutWhileTheIssuerIsBusy: a user who logs out while their login waits to register once more
// ends it after 20 seconds at most. Whoever waited for the login is told that it was cancelled, and
// not that the driver was closed.
func TestLogoutWhileTheIssuerIsBusy(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		ended := make(chan error, 1)
		go func() { ended <- d.Login(t.Context(), w.account()) }()
		synctest.Wait()
		began := time.Now()
		if err := d.Logout(t.Context(), w.account()); err != nil {
			t.Error(err)
		}
		err := <-ended
		if f, ok := fsm.FaultOf(err); !ok || f.Problem.Rule != rules.HouseCancel || errors.Is(err, httpdriver.ErrClosed) || !near(time.Since(began), 20*time.Second, time.Second) {
			t.Errorf("who waited for the login: %v, after %v", err, time.Since(began))
		}
		w.Tap.reset()
		if err := d.Login(t.Context(), w.account()); err == nil || errors.Is(err, httpdriver.ErrClosed) || w.Tap.count("as", "/register") == 0 {
			t.Errorf("the next login: %v, %d registrations", err, w.Tap.count("as", "/register"))
		}
	}, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/register" {
					h.ServeHTTP(rw, r)
					return
				}
				rw.Header().Set("Retry-After", "25")
				rw.WriteHeader(http.StatusServiceUnavailable)
			})
		}
	})
}

// TestLoginBesideARefresh: a user who asks for a login while a refresh is under way, and names
// no scopes, is sent to the issuer: the refresh does not stand for the login.
func TestLoginBesideARefresh(t *testing.T) {
	issuer := &slowly{path: "/token", wait: 5 * time.Second}
	inBubble(t, func(t *testing.T, w *world) {
		asked := 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				asked++
				return followBy(ctx, &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}, v)
			})
		})
		c := w.client(t, d)
		w.call(t, c)
		time.Sleep(2 * time.Hour)
		issuer.on.Store(true)
		var all sync.WaitGroup
		all.Go(func() { w.call(t, c) })
		synctest.Wait()
		w.Tap.reset()
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Error(err)
		}
		if first := w.Tap.requests()[0]; first.To != "rs" || !strings.Contains(first.Body, `"method":"initialize"`) {
			t.Errorf("the login begins with %v", first)
		}
		all.Wait()
		if asked != 2 || w.Tap.grants("refresh_token") != 0 {
			t.Errorf("the user was asked %d times, with %d further refreshes", asked, w.Tap.grants("refresh_token"))
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}
