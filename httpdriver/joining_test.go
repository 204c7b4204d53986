package httpdriver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states/wire"
)

// lingering is a Host whose listener takes its time to close: the login is
// over, its token is handed out, and its run has not quite ended.
type lingering struct {
	httpdriver.Host
	closing chan struct{}
	let     chan struct{}
}

func (l *lingering) Bind(ctx context.Context, preferred []string) (httpdriver.Listener, error) {
	b, err := l.Host.Bind(ctx, preferred)
	return lingeringBinding{b, l}, err
}

type lingeringBinding struct {
	httpdriver.Listener
	l *lingering
}

func (b lingeringBinding) Close() error {
	b.l.closing <- struct{}{}
	<-b.l.let
	return b.Listener.Close()
}

// TestChallengeAtTheEnd: a challenge that comes when a login is just ending is
// not lost: the caller that met it gets what it needs, not the refusal.
func TestChallengeAtTheEnd(t *testing.T) {
	w := newWorld(t)
	l := &lingering{httpdriver.UserAgent(follow), make(chan struct{}, 4), make(chan struct{})}
	d := w.driver(t, func(o *httpdriver.Options) { o.Host = l })
	c := w.client(t, d)
	first := make(chan error, 1)
	go func() { first <- d.Login(t.Context(), w.account()) }()
	<-l.closing
	got := make(chan int, 1)
	go func() {
		status, _, err := w.post(t.Context(), c, admin)
		if err != nil {
			t.Error(err)
		}
		got <- status
	}()
	until(t, "the second request waits", func() bool { return goroutines("httpdriver.(*session).challenged", "[select") > 0 })
	close(l.let)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if status := <-got; status != 200 {
		t.Errorf("the request that needed more scope: %d", status)
	}
}

// TestLoginDuringRefresh: who asks for a login while something else is under
// way gets a login.
func TestLoginDuringRefresh(t *testing.T) {
	g := newGate("/token")
	w := newWorld(t, func(s setup) { s.Wrap["as"] = g.wrap })
	d := w.driver(t)
	c := w.client(t, d)
	w.call(t, c)
	w.Clock.forward(2 * time.Hour)
	got := make(chan error, 1)
	go func() {
		_, _, err := w.post(t.Context(), c, ping)
		got <- err
	}()
	<-g.arrived
	logged := make(chan error, 1)
	go func() { logged <- d.Login(t.Context(), w.account(), "admin") }()
	until(t, "the login waits", func() bool { return goroutines("httpdriver.(*Driver).Login", "[select") > 0 })
	close(g.open)
	for _, ch := range []chan error{got, logged} {
		if err := <-ch; err != nil {
			t.Error(err)
		}
	}
	st, err := d.Status(t.Context(), w.account())
	if err != nil || len(st.Scopes) != 2 {
		t.Errorf("the scopes after Login: %v %v", st.Scopes, err)
	}
}

// TestForeignChallengeWhileCooling: while a failed login is not repeated, a
// 403 of another kind is still the caller's.
func TestForeignChallengeWhileCooling(t *testing.T) {
	w := newWorld(t, func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("as") == "other" {
					w.Header().Set("WWW-Authenticate", `Basic realm="other"`)
					http.Error(w, "not for you", http.StatusForbidden)
					return
				}
				h.ServeHTTP(w, r)
			})
		}
	})
	d := w.driver(t, func(o *httpdriver.Options) { o.Host = httpdriver.UserAgent(refuse) })
	c := w.client(t, d)
	if _, _, err := w.post(t.Context(), c, ping); err == nil {
		t.Fatal("no error")
	}
	resp, err := c.Get(w.Server + "?as=other")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 403 || string(body) != "not for you\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

// TestRenewalFails: while the issuer is down and the token still good, the
// requests go on with it, and the issuer is not stormed.
func TestRenewalFails(t *testing.T) {
	down := make(chan struct{})
	w := newWorld(t, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-down:
					http.Error(w, "down", http.StatusInternalServerError)
				default:
					h.ServeHTTP(w, r)
				}
			})
		}
	})
	d := w.driver(t)
	c := w.client(t, d)
	w.call(t, c)
	close(down)
	w.Tap.reset()
	w.Clock.forward(time.Hour - 20*time.Second)
	for range 50 {
		w.call(t, c)
		until(t, "the renewal rests", func() bool { return goroutines("httpdriver.(*run).loop") == 0 })
	}
	if n := w.Tap.grants("refresh_token"); n > 5 {
		t.Errorf("%d refreshes in 50 requests", n)
	}
}

// TestDenialCoolsStepUpOnly: a user who denied more scope a moment ago is not
// asked again, and the token that is held goes on being refreshed meanwhile.
func TestDenialCoolsStepUpOnly(t *testing.T) {
	for _, how := range []string{"expires", "is refused"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			w.call(t, w.client(t, w.driver(t)))
			asked := 0
			d := w.driver(t, func(o *httpdriver.Options) {
				o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
					asked++
					return refuse(ctx, v)
				})
			})
			c := w.client(t, d)
			w.call(t, c)
			if how == "expires" {
				w.Clock.forward(time.Hour - 31*time.Second)
			}
			if _, _, err := w.post(t.Context(), c, admin); err == nil {
				t.Fatal("no error")
			}
			if how == "expires" {
				w.Clock.forward(32 * time.Second)
			} else {
				tok, err := d.Token(t.Context(), w.account())
				if err != nil {
					t.Fatal(err)
				}
				w.revoke(t, tok.AccessToken)
			}
			w.call(t, c)
			if _, _, err := w.post(t.Context(), c, admin); err == nil {
				t.Fatal("no error")
			}
			if asked != 1 {
				t.Errorf("the user was asked %d times", asked)
			}
		})
	}
}

// TestLoginJoinsWithScopes: a caller who joins a login under way gets the
// scopes that they named: with it, where the user has not been sent off yet, and
// else by a second step. A caller who names none asks nobody again.
func TestLoginJoinsWithScopes(t *testing.T) {
	for _, c := range []struct {
		name, at string
		scopes   []string
		users    int
	}{
		{"before the request is built", "/.well-known/oauth-authorization-server", []string{"admin"}, 1},
		{"when the user is on the way", "/authorize", []string{"admin"}, 2},
		{"when the user is on the way, with what the machine decides", "/authorize", []string{"offline_access"}, 1},
		{"when the user is on the way, with that and more", "/authorize", []string{"offline_access", "admin"}, 2},
		{"with nothing of their own", "/authorize", nil, 1},
		{"with what is asked for anyway", "/authorize", []string{"user"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(c.at)
			w := newWorld(t, func(s setup) { s.Wrap["as"] = g.wrap })
			var users atomic.Int32
			d := w.driver(t, func(o *httpdriver.Options) {
				o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
					users.Add(1)
					return follow(ctx, v)
				})
			})
			ended := make(chan error, 2)
			go func() { ended <- d.Login(t.Context(), w.account()) }()
			<-g.arrived
			go func() { ended <- d.Login(t.Context(), w.account(), c.scopes...) }()
			until(t, "both wait", func() bool { return goroutines("httpdriver.(*Driver).Login", "[select") > 1 })
			close(g.open)
			for range 2 {
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
			if n := int(users.Load()); n != c.users {
				t.Errorf("the user was sent off %d times, not %d", n, c.users)
			}
			st, err := d.Status(t.Context(), w.account())
			if missing := wire.Missing(append(st.Scopes, "offline_access"), append([]string{"user"}, c.scopes...)); err != nil || missing != nil {
				t.Errorf("the scopes after both: %v, without %v (%v)", st.Scopes, missing, err)
			}
		})
	}
}

// TestLoginJoinsAtTheEnd: who asks for a login when one is just ending gets the
// scopes that they named, and the first keeps its own.
func TestLoginJoinsAtTheEnd(t *testing.T) {
	w := newWorld(t, func(s setup) { s.AS.Scopes = []string{"user", "first", "second"} })
	asked := make(chan []string, 4)
	l := &lingering{httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
		asked <- scopesOf(t, v.URL)
		return follow(ctx, v)
	}), make(chan struct{}, 4), make(chan struct{})}
	d := w.driver(t, func(o *httpdriver.Options) { o.Host = l })
	ended := make(chan error, 2)
	go func() { ended <- d.Login(t.Context(), w.account(), "first") }()
	<-l.closing
	go func() { ended <- d.Login(t.Context(), w.account(), "second") }()
	until(t, "both wait", func() bool { return goroutines("httpdriver.(*Driver).Login", "[select") > 1 })
	close(l.let)
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	<-asked
	if missing := wire.Missing(<-asked, []string{"user", "first", "second"}); missing != nil {
		t.Errorf("the second step was without %v", missing)
	}
}

// scopesOf reads what an authorization URL asks for.
func scopesOf(t *testing.T, link string) []string {
	u, err := url.Parse(link)
	if err != nil {
		t.Error(err)
		return nil
	}
	return strings.Fields(u.Query().Get("scope"))
}

// TestLoginJoinsALink: where the login under way ends in a link for less than
// was wanted, the caller who joined it gets a link of their own.
func TestLoginJoinsALink(t *testing.T) {
	g := newGate("/register")
	w := newWorld(t, func(s setup) { s.Wrap["as"], s.AS.Scopes = g.wrap, []string{"user", "first", "admin"} })
	d := w.driver(t, web)
	ended := make(chan error, 2)
	go func() { ended <- d.Login(t.Context(), w.account(), "first") }()
	<-g.arrived
	go func() { ended <- d.Login(t.Context(), w.account(), "admin") }()
	until(t, "both wait", func() bool { return goroutines("httpdriver.(*Driver).Login", "[select") > 1 })
	close(g.open)
	links := 0
	for range 2 {
		var need *httpdriver.LoginRequiredError
		if !errors.As(<-ended, &need) {
			t.Fatal("no link")
		}
		scopes := scopesOf(t, need.URL)
		if slices.Contains(scopes, "admin") {
			links++
		}
		if !slices.Contains(scopes, "first") { // the later link takes the place of the earlier one
			t.Errorf("a link asks for %v", scopes)
		}
	}
	if links != 1 {
		t.Errorf("%d links ask for the scope that one of both wants", links)
	}
}
