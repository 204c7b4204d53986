package httpdriver_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestLoginJoinsADenial: who joined a login for fewer scopes than they want hears that its user
// has denied it. The user is not asked again for the rest.
func TestLoginJoinsADenial(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.call(t, w.client(t, w.driver(t))) // a token is held
		asked, come := 0, make(chan struct{})
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				asked++
				<-come
				return refuse(ctx, v)
			})
		})
		ended := make(chan error, 2)
		for _, scopes := range [][]string{nil, {"admin"}} {
			go func() { ended <- d.Login(t.Context(), w.account(), scopes...) }()
			synctest.Wait()
		}
		close(come)
		for range 2 {
			if f, ok := fsm.FaultOf(<-ended); !ok || f.Problem.OAuth == nil || f.Problem.OAuth.Code != "access_denied" {
				t.Errorf("%+v", f)
			}
		}
		if asked != 1 {
			t.Errorf("the user was asked %d times", asked)
		}
	})
}

// TestLogoutBesideForgetting: a log out that keeps the client does not join one that forgets it,
// whose error is that the issuer does not remove the client.
func TestLogoutBesideForgetting(t *testing.T) {
	revoking := &slowly{path: "/revoke", wait: 5 * time.Second}
	revoking.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		w.call(t, w.client(t, d))
		forgets := make(chan error, 1)
		go func() { forgets <- d.LogoutWith(t.Context(), w.account(), httpdriver.LogoutOptions{Forget: true}) }()
		synctest.Wait()
		if err := d.Logout(t.Context(), w.account()); err != nil {
			t.Errorf("the log out that keeps the client: %v", err)
		}
		if err := <-forgets; err == nil {
			t.Error("the client was not removed, and nobody says so")
		}
	}, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return revoking.wrap(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodDelete {
					http.Error(rw, "it stays", http.StatusForbidden)
					return
				}
				h.ServeHTTP(rw, r)
			}))
		}
	})
}

// TestSourceBesideAWaitingRequest: a source of tokens that logs in joins a request that waits
// for the login of another process: its own user is not asked.
func TestSourceBesideAWaitingRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		visits, come, asked := w.options.Host.(httpdriver.UserAgent), make(chan struct{}), 0
		other := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				<-come
				return visits(ctx, v)
			})
		})
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				asked++
				return visits(ctx, v)
			})
		})
		source, err := d.LoginTokenSource(t.Context(), w.account())
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for _, driver := range []*httpdriver.Driver{other, d} {
			all.Go(func() { w.call(t, w.client(t, driver)) })
			synctest.Wait()
		}
		all.Go(func() {
			if _, err := source.Token(); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		close(come)
		all.Wait()
		if asked != 0 {
			t.Errorf("the user was asked %d times", asked)
		}
	})
}

// TestLoginJoinsAStepUp: a login for no more than a step-up under way asks for ends with it: the
// user is asked once.
func TestLoginJoinsAStepUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.call(t, w.client(t, w.driver(t)))
		visits, come, asked := w.options.Host.(httpdriver.UserAgent), make(chan struct{}), 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				asked++
				<-come
				return visits(ctx, v)
			})
		})
		var all sync.WaitGroup
		all.Go(func() {
			if status, _, err := w.post(t.Context(), w.client(t, d), admin); err != nil || status != http.StatusOK {
				t.Errorf("the step-up: %d %v", status, err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if err := d.Login(t.Context(), w.account()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		close(come)
		all.Wait()
		if asked != 1 {
			t.Errorf("the user was asked %d times", asked)
		}
	})
}

// TestLoginWhileTheLastOneClearsUp: a login that is asked for when the last one has its token,
// and only revokes the one before, is another login.
func TestLoginWhileTheLastOneClearsUp(t *testing.T) {
	revoking := &slowly{path: "/revoke", wait: 10 * time.Second}
	revoking.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		visits, asked := w.options.Host.(httpdriver.UserAgent), 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				asked++
				return visits(ctx, v)
			})
		})
		for _, anew := range []bool{false, true, false} { // with a new client, the token of the old one is revoked
			if err := d.LoginWith(t.Context(), w.account(), httpdriver.LoginOptions{NewClient: anew}); err != nil {
				t.Error(err)
			}
		}
		if asked != 3 {
			t.Errorf("the user was asked %d times", asked)
		}
	}, func(s setup) { s.Wrap["as"] = revoking.wrap })
}

// TestLoginJoinsAtTheBeginning: a login that is asked for while the first one still reads the
// store joins it. The server is asked once what it wants.
func TestLoginJoinsAtTheBeginning(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		visits, asked := w.options.Host.(httpdriver.UserAgent), 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Store = &slowReads{Store: w.Store, wait: 5 * time.Second}
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				asked++
				return visits(ctx, v)
			})
		})
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if err := d.Login(t.Context(), w.account()); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if n := w.inquiries(); asked != 1 || n != 1 {
			t.Errorf("the user was asked %d times, the server what it wants %d times", asked, n)
		}
	})
}

// TestLoginJoinsWhatTheHostDecides: where the host decides which scopes are asked for, a login that
// wants others has no second step: the user is asked once.
func TestLoginJoinsWhatTheHostDecides(t *testing.T) {
	for name, decide := range map[string]func(*httpdriver.Options){
		"by its policy": func(o *httpdriver.Options) { o.Policy.Scopes, o.Policy.OnlyScopes = []string{"user"}, true },
		"by an answer": func(o *httpdriver.Options) {
			o.Policy.Asks = []states.Question{states.AskScopes}
			o.Ask = func(context.Context, httpdriver.Account, states.Ask) (states.Answered, error) {
				return states.Answered{Values: []string{"user"}}, nil
			}
		},
	} {
		inBubble(t, func(t *testing.T, w *world) {
			visits, come, asked := w.options.Host.(httpdriver.UserAgent), make(chan struct{}), 0
			d := w.driver(t, decide, func(o *httpdriver.Options) {
				o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
					asked++
					<-come
					return visits(ctx, v)
				})
			})
			var all sync.WaitGroup
			for _, scopes := range [][]string{nil, {"admin"}} {
				all.Go(func() {
					if err := d.Login(t.Context(), w.account(), scopes...); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			close(come)
			all.Wait()
			if asked != 1 {
				t.Errorf("%s: the user was asked %d times", name, asked)
			}
		})
	}
}

// TestNewClientWhileALoginIsUnderWay: a login with a new client does not count as done when a
// login without one ends; another one with a new client is good enough, and is not repeated for
// its scopes with yet another client.
func TestNewClientWhileALoginIsUnderWay(t *testing.T) {
	anew := httpdriver.LoginOptions{NewClient: true}
	for name, c := range map[string]struct {
		first, second         httpdriver.LoginOptions
		registrations, visits int
	}{
		"a login":                   {httpdriver.LoginOptions{}, anew, 1, 2},
		"a login with a new client": {anew, anew, 1, 1},
		"a login with a new client and less scopes": {anew, httpdriver.LoginOptions{NewClient: true, Scopes: []string{"admin"}}, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.call(t, w.client(t, w.driver(t)))
				w.Tap.reset()
				visits, come, asked := w.options.Host.(httpdriver.UserAgent), make(chan struct{}), 0
				d := w.driver(t, func(o *httpdriver.Options) {
					o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
						asked++
						<-come
						return visits(ctx, v)
					})
				})
				var all sync.WaitGroup
				for _, o := range []httpdriver.LoginOptions{c.first, c.second} {
					all.Go(func() {
						if err := d.LoginWith(t.Context(), w.account(), o); err != nil {
							t.Error(err)
						}
					})
					synctest.Wait()
				}
				close(come)
				all.Wait()
				if n := w.Tap.count("as", "/register"); n != c.registrations || asked != c.visits {
					t.Errorf("%d registrations, not %d; the user was asked %d times, not %d", n, c.registrations, asked, c.visits)
				}
			})
		})
	}
}

// TestNewClientAfterANewClient: it does not count as done either when another login follows the one
// with a new client at once, because a request needs more scope.
func TestNewClientAfterANewClient(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var c *http.Client
		var all sync.WaitGroup
		user, visits, second, come := w.options.Host.(httpdriver.UserAgent), 0, make(chan struct{}), make(chan struct{})
		d := w.driver(t, between(states.Pruning, states.Authorized, func() {
			all.Go(func() {
				if status, _, err := w.post(t.Context(), c, admin); err != nil || status != http.StatusOK {
					t.Errorf("%d %v", status, err)
				}
			})
			synctest.Wait()
		}), func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				if visits++; visits == 2 {
					close(second)
					<-come
				}
				return user(ctx, v)
			})
		})
		w.call(t, w.client(t, w.driver(t)))
		w.Tap.reset()
		c = w.client(t, d)
		w.call(t, c)
		login := func() {
			if err := d.LoginWith(t.Context(), w.account(), httpdriver.LoginOptions{NewClient: true}); err != nil {
				t.Error(err)
			}
		}
		all.Go(login)
		<-second
		all.Go(login)
		synctest.Wait()
		close(come)
		all.Wait()
		if n := w.Tap.count("as", "/register"); n != 2 || visits != 3 {
			t.Errorf("%d registrations, %d visits", n, visits)
		}
	})
}
