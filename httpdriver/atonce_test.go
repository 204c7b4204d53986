package httpdriver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// TestBrowserIsDoneWithTheUser: the browser's host is done when the user has come back to the login
// that waits. It does not wait until its caller has had enough.
func TestBrowserIsDoneWithTheUser(t *testing.T) {
	l, err := httpdriver.Browser{Open: func(_ context.Context, u string) error {
		go visit(u)
		return nil
	}}.Bind(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	came := ""
	v := httpdriver.Visit{URL: l.RedirectURI() + "?code=c&state=s", RedirectURI: l.RedirectURI()}
	if err := l.Visit(ctx, v, func(raw string) httpdriver.Answer {
		came = raw
		return httpdriver.Answer{OK: true}
	}); err != nil || came == "" {
		t.Errorf("%v, after the user came back to %q", err, came)
	}
}

// TestRedirectOfADamagedLogin: a login that waits in the store, and whose record is not one that a
// machine can go on from, is reported as such.
func TestRedirectOfADamagedLogin(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t, web)
	raw := back(t, required(t, d.Login(t.Context(), w.account())))
	keys, err := w.Store.(storage.Lister).List(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if key.Kind != states.KindLogin {
			continue
		}
		e, err := w.Store.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		l, err := states.DecodeLogin(wire.Secret(e.Value), e.Generation)
		if err != nil {
			t.Fatal(err)
		}
		l.Config.Grant = "no grant"
		value, err := states.Encode(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Store.Put(t.Context(), key, []byte(value.Reveal()), e.Generation, e.Expires); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := d.Redirected(t.Context(), raw, httpdriver.Owner{}); !errors.Is(err, fsm.ErrConfig) || a != w.account() {
		t.Errorf("%+v %v", a, err)
	}
}

// TestTakenTokensWeighLess: an account whose token came from a login weighs more until the server
// has taken the token. All that were used since are kept in memory where there is room for them.
func TestTakenTokensWeighLess(t *testing.T) {
	const accounts = 20
	w := newWorld(t)
	d := w.driver(t, func(o *httpdriver.Options) { o.IdleBytes = 48 << 10 })
	for n := range accounts {
		c, err := d.Client(httpdriver.Account{Server: w.Server, Subject: fmt.Sprint(n)})
		if err != nil {
			t.Fatal(err)
		}
		w.call(t, c)
	}
	for range 3 {
		runtime.GC()
	}
	if n := d.Sessions(); n != accounts {
		t.Errorf("%d accounts are kept", n)
	}
}

// TestAdoptedTokensWeighLess: it is the same where a request has waited for the login of another
// process, whose server has taken the token.
func TestAdoptedTokensWeighLess(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		back, done := make(chan struct{}), make(chan struct{}, 2)
		user := &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}
		other := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				<-back
				return followBy(ctx, user, v)
			})
		})
		d := w.driver(t)
		for _, driver := range []*httpdriver.Driver{other, d} {
			go func() {
				w.call(t, w.client(t, driver))
				done <- struct{}{}
			}()
			synctest.Wait()
		}
		close(back)
		for range 2 {
			<-done
		}
		if n := w.Tap.grants("authorization_code"); n != 1 {
			t.Errorf("%d logins", n)
		}
		reads := w.driver(t)
		w.call(t, w.client(t, reads))
		if got, want := d.SessionBytes(w.account()), reads.SessionBytes(w.account()); got != want {
			t.Errorf("%d bytes, and %d where the token was read", got, want)
		}
	})
}

// TestTokensThatAreReadWeighAlike: it makes no difference which way a token was read. No run is kept
// for one that came from no login here.
func TestTokensThatAreReadWeighAlike(t *testing.T) {
	var weights []int64
	for _, to := range []httpdriver.TraceTo{nil, func(httpdriver.Account) (io.WriteCloser, error) { return &writer{after: 1 << 20}, nil }} {
		d, err := httpdriver.New(httpdriver.Options{Store: oneRecord{value: record(t)}, Trace: to})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		touch(t, d, 0, 1)
		weights = append(weights, d.SessionBytes(subject(0)))
	}
	if weights[0] == 0 || weights[0] != weights[1] {
		t.Errorf("%d bytes", weights)
	}
}

// TestALookIsObserved: where the first request of an account finds its token in the store, the two
// steps are reported to the observer.
func TestALookIsObserved(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t)))
	var seen []states.State
	w.call(t, w.client(t, w.driver(t, func(o *httpdriver.Options) {
		o.Observe = func(s httpdriver.Step) {
			if s.Account != w.account() || s.At.IsZero() || s.Input == nil {
				t.Errorf("%+v", s)
			}
			seen = append(seen, s.From.State, s.Result.Machine.State)
		}
	})))
	if got := fmt.Sprint(seen); got != "[Idle Loading Loading Authorized]" {
		t.Errorf("the steps: %s", got)
	}
}
