package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states/rules"
)

// user is a Host whose user takes their time: sent tells that they were sent off,
// and they come back when they are let go.
type user struct {
	sent chan httpdriver.Visit
	back chan struct{}
	left chan struct{} // closed when they need not come back
	once sync.Once
}

func newUser() *user {
	return &user{sent: make(chan httpdriver.Visit, 16), back: make(chan struct{}), left: make(chan struct{})}
}

func (h *user) host(o *httpdriver.Options) {
	o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
		h.sent <- v
		select {
		case <-h.back:
			return follow(ctx, v)
		case <-ctx.Done():
			h.once.Do(func() { close(h.left) })
			return "", ctx.Err()
		}
	})
}

// goroutines counts those whose stack holds all the words.
func goroutines(words ...string) int {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	n := 0
next:
	for _, g := range strings.Split(string(buf), "\n\n") {
		for _, w := range words {
			if !strings.Contains(g, w) {
				continue next
			}
		}
		n++
	}
	return n
}

// until waits until something that tells nobody has happened.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

// gathered makes the protected server wait for n requests before it answers any of them, so
// that no login is under way when they get their 401.
func gathered(n int) func(setup) {
	return func(s setup) {
		var came atomic.Int64
		all := make(chan struct{})
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/mcp" && came.Add(1) == int64(n) {
					close(all)
				}
				if r.URL.Path == "/mcp" {
					<-all
				}
				h.ServeHTTP(w, r)
			})
		}
	}
}

// TestHundredAtFirst401: 100 requests meet the first 401 while a user takes
// their time: one login, one registration.
func TestHundredAtFirst401(t *testing.T) {
	errs := make(chan error, 100)
	w := newWorld(t, gathered(cap(errs)))
	h := newUser()
	d := w.driver(t, h.host)
	c := w.client(t, d)
	for range cap(errs) {
		go func() {
			status, _, err := w.post(t.Context(), c, ping)
			if err == nil && status != 200 {
				err = errors.New(http.StatusText(status))
			}
			errs <- err
		}()
	}
	<-h.sent
	close(h.back)
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if len(h.sent) != 0 {
		t.Errorf("%d further logins", len(h.sent))
	}
	for path, want := range map[string]int{"/register": 1, "/token": 1} {
		if n := w.Tap.count("as", path); n != want {
			t.Errorf("%d requests to %s instead of %d", n, path, want)
		}
	}
}

// local carries requests to a handler without a socket.
type local struct {
	h http.Handler
}

func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	l.h.ServeHTTP(rec, r)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

// TestThousandAtExpiry: 1,000 goroutines that meet one expired token, or one
// that the server refuses, cause one refresh.
func TestThousandAtExpiry(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, *world, *httpdriver.Driver){
		"expired": func(_ *testing.T, w *world, _ *httpdriver.Driver) { w.Clock.forward(2 * time.Hour) },
		"refused": func(t *testing.T, w *world, d *httpdriver.Driver) {
			tok, err := d.Token(t.Context(), w.account())
			if err != nil {
				t.Fatal(err)
			}
			w.revoke(t, tok.AccessToken)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := w.driver(t)
			base, err := d.Transport(w.account(), local{h: w.RS})
			if err != nil {
				t.Fatal(err)
			}
			c := &http.Client{Transport: base}
			w.call(t, c)
			spoil(t, w, d)
			w.Tap.reset()
			start := make(chan struct{})
			errs := make(chan error, 1000)
			for range cap(errs) {
				go func() {
					<-start
					status, _, err := w.post(t.Context(), c, ping)
					if err == nil && status != 200 {
						err = errors.New(http.StatusText(status))
					}
					errs <- err
				}()
			}
			close(start)
			for range cap(errs) {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			if n := w.Tap.grants("refresh_token"); n != 1 || len(w.Tap.requests()) != 1 {
				t.Errorf("%d refreshes:%s", n, w.Tap.list())
			}
		})
	}
}

// TestUserDeadline: the user has one deadline, and it ends in one error that
// says so; the next request does not open another tab.
func TestUserDeadline(t *testing.T) {
	w := newWorld(t)
	h := newUser()
	d := w.driver(t, h.host, func(o *httpdriver.Options) { o.Policy.UserTime = 300 * time.Millisecond })
	c := w.client(t, d)
	_, _, err := w.post(t.Context(), c, ping)
	f, ok := fsm.FaultOf(err)
	if !ok || f.Problem.Rule != rules.AuthzRespDeadline {
		t.Fatalf("%v", err)
	}
	<-h.sent
	<-h.left
	if _, _, err := w.post(t.Context(), c, ping); err == nil {
		t.Fatal("no error")
	}
	if len(h.sent) != 0 {
		t.Error("the user was sent off again")
	}
	// A caller who asks for it explicitly gets another login.
	close(h.back)
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
}

// TestCallerLeaves: a caller's context ends their own wait; the login goes on
// for the others, and even for nobody.
func TestCallerLeaves(t *testing.T) {
	w := newWorld(t)
	h := newUser()
	d := w.driver(t, h.host)
	c := w.client(t, d)
	type result struct {
		status int
		err    error
	}
	ask := func(ctx context.Context) chan result {
		got := make(chan result, 1)
		go func() {
			status, _, err := w.post(ctx, c, ping)
			got <- result{status, err}
		}()
		return got
	}
	ctx, cancel := context.WithCancel(t.Context())
	one := ask(ctx)
	<-h.sent
	two := ask(t.Context())
	if err := w.Tap.await(t.Context(), func() bool { return w.Tap.count("rs", "/mcp") >= 2 }); err != nil {
		t.Fatal(err)
	}
	cancel()
	if r := <-one; !errors.Is(r.err, context.Canceled) {
		t.Errorf("the one who left: %v", r)
	}
	h.back <- struct{}{}
	if r := <-two; r.err != nil || r.status != 200 {
		t.Errorf("the one who stayed: %v", r)
	}
	if n := w.Tap.count("as", "/register"); n != 1 || len(h.sent) != 0 {
		t.Errorf("%d registrations, %d further logins", n, len(h.sent))
	}

	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	three := ask(ctx)
	<-h.sent
	cancel()
	if r := <-three; !errors.Is(r.err, context.Canceled) {
		t.Errorf("the one who left: %v", r)
	}
	h.back <- struct{}{}
	w.call(t, c)
	if len(h.sent) != 0 {
		t.Error("the login did not go on without anybody")
	}
}

// gate holds requests to one path back until it is opened; of those to the token
// endpoint only refreshes.
type gate struct {
	path    string
	arrived chan struct{}
	open    chan struct{}
}

func newGate(path string) *gate {
	return &gate{path: path, arrived: make(chan struct{}, 64), open: make(chan struct{})}
}

func (g *gate) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == g.path && (g.path != "/token" || strings.Contains(bodyOf(r), "grant_type=refresh_token")) {
			g.arrived <- struct{}{}
			<-g.open
		}
		h.ServeHTTP(w, r)
	})
}

// TestRefreshOutlives: a refresh outlives the request that began it, and a
// driver that is closed meanwhile waits until its result is saved.
func TestRefreshOutlives(t *testing.T) {
	for _, how := range []string{"caller leaves", "driver closes"} {
		t.Run(how, func(t *testing.T) {
			g := newGate("/token")
			w := newWorld(t, func(s setup) { s.Wrap["as"] = g.wrap })
			d := w.driver(t)
			c := w.client(t, d)
			w.call(t, c)
			w.Clock.forward(2 * time.Hour)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			got := make(chan error, 1)
			go func() {
				_, _, err := w.post(ctx, c, ping)
				got <- err
			}()
			<-g.arrived
			if how == "caller leaves" {
				cancel()
				if err := <-got; !errors.Is(err, context.Canceled) {
					t.Errorf("%v", err)
				}
				close(g.open)
				w.call(t, c)
			} else {
				closed := make(chan error, 1)
				go func() { closed <- d.Close() }()
				until(t, "Close waits", func() bool { return goroutines("httpdriver.(*Driver).Close", "WaitGroup") > 0 })
				close(g.open)
				if err := <-closed; err != nil {
					t.Error(err)
				}
				if err := <-got; err != nil && !errors.Is(err, httpdriver.ErrClosed) {
					t.Errorf("the one who waited: %v", err)
				}
				w.Tap.reset()
				w.call(t, w.client(t, w.driver(t)))
				w.exactly(t, 1)
			}
			if n := w.Tap.grants("refresh_token"); n > 1 {
				t.Errorf("%d refreshes", n)
			}
		})
	}
}
