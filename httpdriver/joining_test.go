package httpdriver_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// lingering is a Host whose binding takes its time to close: the login is
// over, its token is handed out, and its run has not quite ended.
type lingering struct {
	httpdriver.Host
	closing chan struct{}
	let     chan struct{}
}

func (l *lingering) Bind(ctx context.Context, preferred []string) (httpdriver.Binding, error) {
	b, err := l.Host.Bind(ctx, preferred)
	return lingeringBinding{b, l}, err
}

type lingeringBinding struct {
	httpdriver.Binding
	l *lingering
}

func (b lingeringBinding) Close() error {
	b.l.closing <- struct{}{}
	<-b.l.let
	return b.Binding.Close()
}

// TestChallengeAtTheEnd: a challenge that comes when a login is just ending is
// not lost: the one who met it gets what he needs, not the refusal.
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

// TestDenialCoolsStepUpOnly: a human who denied more scope a moment ago is not
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
				t.Errorf("the human was asked %d times", asked)
			}
		})
	}
}
