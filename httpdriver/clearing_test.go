package httpdriver_test

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states/rules"
)

// The tests of this file look at logins whose work goes on after the token was handed out, and at
// logins that follow one another.

// counting is a host whose user says yes at once, and is counted.
func (w *world) counting(asked *int) func(*httpdriver.Options) {
	return func(o *httpdriver.Options) {
		visits := w.options.Host.(httpdriver.UserAgent)
		o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			*asked++
			return visits(ctx, v)
		})
	}
}

// TestRefusedWhileALoginClearsUp: a new token is used while its login still revokes the one before
// it. A server that refuses it then, as it refuses requests without a token, is heard after the
// login, and a refresh follows. If the server refuses the next token too, the user is asked once
// more only if the server had taken the token of the login before.
//
// Rules: challenge-fresh-token-loop.
func TestRefusedWhileALoginClearsUp(t *testing.T) {
	for name, c := range map[string]struct {
		taken   bool // before it is refused
		refuses int  // how many requests
		status  int
		asked   int
		later   time.Duration // it is refused
	}{
		"once":                        {false, 1, http.StatusOK, 2, 0},
		"always":                      {false, 99, 0, 2, 0},
		"always, after all":           {true, 99, 0, 3, 0},
		"always, when all is revoked": {true, 99, 0, 3, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			revoking := &slowly{path: "/revoke", wait: 10 * time.Second}
			revoking.on.Store(true)
			var refuses atomic.Int32
			inBubble(t, func(t *testing.T, w *world) {
				asked := 0
				d := w.driver(t, w.counting(&asked))
				for _, anew := range []bool{false, true} { // with a new client, the token of the old one is revoked
					if err := d.LoginWith(t.Context(), w.account(), httpdriver.LoginOptions{NewClient: anew}); err != nil {
						t.Fatal(err)
					}
				}
				client := w.client(t, d)
				if c.taken {
					w.call(t, client)
				}
				time.Sleep(c.later)
				refuses.Store(int32(c.refuses))
				status, _, err := w.post(t.Context(), client, ping)
				f, failed := fsm.FaultOf(err)
				if status != c.status || failed != (c.status == 0) || failed && f.Problem.Rule != rules.ChallengeFreshTokenLoop {
					t.Errorf("%d %v", status, err)
				}
				if asked != c.asked {
					t.Errorf("the user was asked %d times", asked)
				}
			}, func(s setup) {
				s.Wrap["as"] = revoking.wrap
				s.Wrap["rs"] = func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/mcp" && refuses.Add(-1) >= 0 {
							r.Header.Del("Authorization")
						}
						h.ServeHTTP(rw, r)
					})
				}
			})
		})
	}
}

// TestEveryLoginHasItsTime: a login that follows another one at once, because the server refuses its
// token while the one before is still revoked, has the time of a login of its own.
func TestEveryLoginHasItsTime(t *testing.T) {
	slow := &slowly{path: "/.well-known/oauth-authorization-server", wait: 12 * time.Second}
	revoking := &slowly{path: "/revoke", wait: 10 * time.Second}
	revoking.on.Store(true)
	var refuses atomic.Bool
	inBubble(t, func(t *testing.T, w *world) {
		asked := 0
		d := w.driver(t, w.counting(&asked), func(o *httpdriver.Options) {
			o.Policy.NoRefresh, o.Policy.LoginTime = true, 20*time.Second
		})
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		w.Tap.reset()
		slow.on.Store(true)
		if err := d.LoginWith(t.Context(), w.account(), httpdriver.LoginOptions{NewClient: true}); err != nil {
			t.Fatal(err)
		}
		c := w.client(t, d)
		w.call(t, c)
		refuses.Store(true)
		w.call(t, c)
		if n := w.Tap.count("as", slow.path); asked != 3 || n != 2 {
			t.Errorf("the user was asked %d times, the metadata %d times", asked, n)
		}
	}, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler { return slow.wrap(revoking.wrap(h)) }
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/mcp" && refuses.Swap(false) {
					r.Header.Del("Authorization")
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
}

// TestNewClientAfterAnotherOne: a login with a new client is one of its own, also while a login with
// a new client has gone on to another login, because the server refused its token.
func TestNewClientAfterAnotherOne(t *testing.T) {
	revoking := &slowly{path: "/revoke", wait: 10 * time.Second}
	revoking.on.Store(true)
	var refuses atomic.Bool
	inBubble(t, func(t *testing.T, w *world) {
		visits, come, asked := w.options.Host.(httpdriver.UserAgent), make(chan struct{}), 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Policy.NoRefresh = true
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				if asked++; asked == 3 {
					<-come
				}
				return visits(ctx, v)
			})
		})
		anew := httpdriver.LoginOptions{NewClient: true}
		for _, o := range []httpdriver.LoginOptions{{}, anew} { // with a new client, the token of the old one is revoked
			if err := d.LoginWith(t.Context(), w.account(), o); err != nil {
				t.Fatal(err)
			}
		}
		c := w.client(t, d)
		w.call(t, c)
		refuses.Store(true)
		answered := asks(t.Context(), w, c)
		synctest.Wait()
		w.Tap.reset()
		logged := make(chan error, 1)
		go func() { logged <- d.LoginWith(t.Context(), w.account(), anew) }()
		synctest.Wait()
		close(come)
		for _, err := range []error{<-answered, <-logged} {
			if err != nil {
				t.Error(err)
			}
		}
		if n := w.Tap.count("as", "/register"); n != 1 || asked != 4 {
			t.Errorf("%d registrations, the user was asked %d times", n, asked)
		}
	}, func(s setup) {
		s.Wrap["as"] = revoking.wrap
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/mcp" && refuses.Swap(false) {
					r.Header.Del("Authorization")
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
}

// TestLoginForAScopeThatIsRefused: a login for a scope that the issuer refuses ends without that
// scope. It is not begun again.
func TestLoginForAScopeThatIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		visits, asked := w.options.Host.(httpdriver.UserAgent), 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				if asked++; asked > 8 {
					return refuse(ctx, v)
				}
				if slices.Contains(scopesOf(t, v.URL), "admin") {
					return refusedScope(t, w, v.URL), nil
				}
				return visits(ctx, v)
			})
		})
		if err := d.Login(t.Context(), w.account(), "admin"); err != nil || asked != 2 {
			t.Errorf("%v; the user was asked %d times", err, asked)
		}
	})
}
