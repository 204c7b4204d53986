package httpdriver_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// looks counts how often the credential is read, and may keep who reads waiting.
type looks struct {
	storage.Store
	n   atomic.Int32
	let chan struct{} // nil: nobody waits
}

func (s *looks) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if k.Kind == states.KindCredential {
		s.n.Add(1)
		if s.let != nil {
			<-s.let
		}
	}
	return s.Store.Get(ctx, k)
}

// barrier holds bare requests on their way to the protected server.
type barrier struct {
	http.RoundTripper
	come, pass chan struct{}
}

func (b *barrier) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") == "" {
		b.come <- struct{}{}
		<-b.pass
	}
	return b.RoundTripper.RoundTrip(r)
}

// held gives a barrier, and a function that sends a request which will stand at
// it if it is bare. What is received in the end is the status, 0 for an error.
func (w *world) held(t *testing.T, d *httpdriver.Driver) (*barrier, func() <-chan int) {
	b := &barrier{&http.Transport{DisableKeepAlives: true}, make(chan struct{}, 8), make(chan struct{})}
	rt, err := d.Transport(w.account(), b)
	if err != nil {
		t.Fatal(err)
	}
	return b, func() <-chan int {
		end := make(chan int, 1)
		go func() {
			status, _, err := w.post(t.Context(), &http.Client{Transport: rt}, ping)
			if err != nil {
				status = 0
			}
			end <- status
		}()
		return end
	}
}

// TestLooksTwice: a cold login reads the credential before the first request,
// and once more when its mark is set. The refusal goes on from the first look,
// also where a trace is recorded, which tells all of it; and that the token was taken
// is stored from where the login ended, without a third look.
func TestLooksTwice(t *testing.T) {
	dir := t.TempDir()
	for name, to := range map[string]httpdriver.TraceTo{"no trace": nil, "a trace": httpdriver.TraceDir(dir)} {
		w := newWorld(t)
		s := &looks{Store: w.Store}
		w.Store = s
		d := w.driver(t, func(o *httpdriver.Options) { o.Trace = to })
		w.call(t, w.client(t, d))
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if n := s.n.Load(); n != 2 {
			t.Errorf("%s: the credential was read %d times", name, n)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	told, err := trace.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if first, last := told.Steps[0], told.Steps[len(told.Steps)-1]; first.From != states.Idle || last.To != states.Authorized || told.Ended != "" {
		t.Errorf("the trace goes from %s to %s %s", first.From, last.To, told.Ended)
	}
}

// TestLookedTooEarly: what a request saw in the store no longer holds
// when it is refused. Another process logged in meanwhile: its token is taken.
func TestLookedTooEarly(t *testing.T) {
	w := newWorld(t)
	b, send := w.held(t, w.driver(t))
	end := send()
	<-b.come
	w.call(t, w.client(t, w.driver(t)))
	b.pass <- struct{}{}
	if status := <-end; status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if n := w.Tap.grants("authorization_code"); n != 1 {
		t.Errorf("%d logins", n)
	}
}

// TestLookedTogether: two requests share one look at the store, and each is
// refused at its own time. The first login fails; the second does not go on from
// the same look: what it draws was never drawn before. It is the same where a trace is
// recorded, and both wait for one run.
func TestLookedTogether(t *testing.T) {
	t.Run("no trace", func(t *testing.T) { lookedTogether(t, nil) })
	t.Run("a trace", func(t *testing.T) { lookedTogether(t, httpdriver.TraceDir(t.TempDir())) })
}

func lookedTogether(t *testing.T, to httpdriver.TraceTo) {
	w := newWorld(t)
	s := &looks{Store: w.Store, let: make(chan struct{})}
	w.Store = s
	drawn := map[string]bool{}
	logins := 0
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Trace = to
		o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			u, err := url.Parse(v.URL)
			if err != nil {
				return "", err
			}
			for _, name := range []string{"state", "code_challenge"} {
				value := u.Query().Get(name)
				if value == "" || drawn[value] {
					t.Errorf("%s %q was drawn before", name, value)
				}
				drawn[value] = true
			}
			if logins++; logins == 1 {
				return refuse(ctx, v)
			}
			return follow(ctx, v)
		})
	})
	b, send := w.held(t, d)
	ends := make(chan int, 2)
	for range cap(ends) {
		end := send()
		go func() { ends <- <-end }()
	}
	until(t, "one looks and the other waits", func() bool {
		if to != nil {
			return s.n.Load() == 1 && goroutines("httpdriver.(*run).await", "[select") == 2
		}
		return s.n.Load() == 1 && goroutines("httpdriver.(*session).beginLook", "[select") == 1
	})
	close(s.let)
	<-b.come
	<-b.come
	b.pass <- struct{}{}
	if status := <-ends; status != 0 {
		t.Errorf("a login that was denied ends with status %d", status)
	}
	w.Clock.forward(time.Hour) // the denial has cooled down
	b.pass <- struct{}{}
	if status := <-ends; status != http.StatusOK || logins != 2 {
		t.Errorf("status %d after %d logins", status, logins)
	}
}

// firstRead is a store whose first answer about a credential takes as long as the test wants.
type firstRead struct {
	storage.Store
	n          atomic.Int32
	begun, let chan struct{}
}

func (s *firstRead) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	e, err := s.Store.Get(ctx, k)
	if k.Kind == states.KindCredential && s.n.Add(1) == 1 {
		close(s.begun)
		<-s.let
	}
	return e, err
}

// TestLookOvertakenByALogin: a login begins and ends while a request reads the store and another one
// waits for that. Both go on with the token of the login.
func TestLookOvertakenByALogin(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t)))
	s := &firstRead{Store: w.Store, begun: make(chan struct{}), let: make(chan struct{})}
	d := w.driver(t, func(o *httpdriver.Options) { o.Store = s })
	c := w.client(t, d)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	first := asks(ctx, w, c)
	<-s.begun
	second := asks(ctx, w, c)
	until(t, "the second one waits", func() bool { return goroutines("httpdriver.(*session).beginLook", "[select") == 1 })
	if err := d.Login(ctx, w.account()); err != nil {
		t.Error(err)
	}
	close(s.let)
	for _, end := range []<-chan error{first, second} {
		if err := <-end; err != nil {
			t.Error(err)
		}
	}
}
