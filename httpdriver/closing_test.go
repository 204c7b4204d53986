package httpdriver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// TestHostAnswersAfterTheEnd: what a host answers when the driver is closed is dropped.
func TestHostAnswersAfterTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var answered atomic.Int64
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Policy.Asks = []states.Question{states.AskResource}
			o.Ask = func(_ context.Context, _ httpdriver.Account, q states.Ask) (states.Answered, error) {
				time.Sleep(30 * time.Minute)
				answered.Add(1)
				return states.Answered{Value: q.Default}, nil
			}
		})
		const users = 20
		for i := range users {
			a := w.account()
			a.Subject = fmt.Sprint("user-", i)
			go func() { _ = d.Login(t.Context(), a) }()
		}
		synctest.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if n := answered.Load(); n != users {
			t.Errorf("the host answered %d times", n)
		}
	})
}

// TestTransportAnswersSomethingElse: a transport of the host that answers with what is no answer
// to its question ends the login with an error.
func TestTransportAnswersSomethingElse(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Send = func(_ context.Context, q states.Send) states.Input { return states.Saved{Serial: q.Serial} }
		})
		if err := d.Login(t.Context(), w.account()); err == nil || !strings.HasPrefix(err.Error(), "httpdriver: ") {
			t.Errorf("%v", err)
		}
	})
}

// called reports whether a function is among the callers.
func called(name string) bool {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, name) {
			return true
		}
		if !more {
			return false
		}
	}
}

// TestCloseJustBeforeARequest: a driver is closed in the moment in which a request is about to be
// sent for the second time. One for metadata is not sent any more; a refresh is, and its token is
// stored.
func TestCloseJustBeforeARequest(t *testing.T) {
	for _, refresh := range []bool{false, true} {
		path, down, looked := "/.well-known/oauth-protected-resource/mcp", atomic.Bool{}, atomic.Int64{}
		if refresh {
			path = "/token"
		}
		fails := func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == path && down.Swap(false) {
					looked.Store(2) // too early for the second try, and in time
					unavailable(rw, r)
					return
				}
				h.ServeHTTP(rw, r)
			})
		}
		inBubble(t, func(t *testing.T, w *world) {
			closed := make(chan time.Duration, 1)
			var d *httpdriver.Driver
			d = w.driver(t, func(o *httpdriver.Options) {
				o.Clock = func() time.Time {
					if looked.Load() > 0 && called("(*run).due") && looked.Add(-1) == 0 {
						began := time.Now()
						go func() {
							_ = d.Close()
							closed <- time.Since(began)
						}()
						synctest.Wait()
					}
					return time.Now()
				}
			})
			c := w.client(t, d)
			if refresh {
				w.call(t, c)
				time.Sleep(2 * time.Hour)
			}
			w.Tap.reset()
			down.Store(true)
			_, _, err := w.post(t.Context(), c, ping)
			if took := <-closed; took > time.Second || !refresh && !errors.Is(err, httpdriver.ErrClosed) {
				t.Errorf("%s: %v, closed after %v", path, err, took)
			}
			sent := w.Tap.count("rs", path) + w.Tap.count("as", path)
			if refresh {
				w.Tap.reset()
				w.call(t, w.client(t, w.driver(t)))
				w.exactly(t, 1)
				sent--
			}
			if sent != 1 {
				t.Errorf("%s: asked %d times", path, sent)
			}
		}, func(s setup) { s.Wrap["as"], s.Wrap["rs"] = fails, fails })
	}
}

// TestCloseDuringALogout: a log out whose driver is closed while it reads the store revokes the
// tokens nevertheless. Close waits for that, for 20 seconds at most.
func TestCloseDuringALogout(t *testing.T) {
	for _, c := range []struct{ answers, takes time.Duration }{{0, 5 * time.Second}, {time.Hour, 25 * time.Second}} {
		revoking := &slowly{path: "/revoke", wait: c.answers}
		revoking.on.Store(true)
		inBubble(t, func(t *testing.T, w *world) {
			store := &slowReads{Store: w.Store}
			d := w.driver(t, func(o *httpdriver.Options) { o.Store, o.Policy.HTTPTime = store, 5*time.Minute })
			w.call(t, w.client(t, d))
			w.Tap.reset()
			store.wait = 5 * time.Second
			out := make(chan error, 1)
			go func() { out <- d.Logout(t.Context(), w.account()) }()
			synctest.Wait()
			began := time.Now()
			if err := d.Close(); err != nil || time.Since(began) > c.takes {
				t.Errorf("%v, after %v", err, time.Since(began))
			}
			if err := <-out; c.answers == 0 && err != nil {
				t.Error(err)
			}
			if n := w.Tap.count("as", "/revoke"); n == 0 {
				t.Error("nothing was revoked")
			}
		}, func(s setup) { s.Wrap["as"] = revoking.wrap })
	}
}

// TestLogoutWhileAHostIdentifies: a host answers with a link while its user logs out: the link is
// not handed on.
func TestLogoutWhileAHostIdentifies(t *testing.T) {
	w, _, options := enterprise(t)
	var d *httpdriver.Driver
	out := make(chan error, 1)
	d = w.driver(t, options, func(o *httpdriver.Options) {
		o.Identity = func(context.Context, httpdriver.Account, httpdriver.IdentityRequest) (string, error) {
			go func() { out <- d.Logout(t.Context(), w.account()) }()
			until(t, "the log out waits", func() bool { return goroutines("httpdriver.(*session).begin.func", "[chan receive") > 0 })
			return "", &httpdriver.LoginRequiredError{URL: "https://provider.example", Expires: time.Now().Add(time.Hour)}
		}
	})
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	if f, ok := fsm.FaultOf(err); !ok || f.Problem.Rule != rules.HouseCancel {
		t.Errorf("%v", err)
	}
	if err := <-out; err != nil {
		t.Error(err)
	}
}

// TestUsedAccountsAreKept: the token of an account that was used is kept, although the host
// refers to nothing of the account.
func TestUsedAccountsAreKept(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t)))
	store := &looks{Store: w.Store}
	d := w.driver(t, func(o *httpdriver.Options) { o.Store = store })
	for range 5 {
		if _, err := d.Token(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
	}
	if n := store.n.Load(); n != 1 {
		t.Errorf("the credential was read %d times", n)
	}
}

// TestLinkFinishedElsewhere: a link whose login another replica has finished is over: a login
// that fails later cools down.
func TestLinkFinishedElsewhere(t *testing.T) {
	w := newWorld(t)
	store := &refusing{Store: w.Store}
	c := w.client(t, w.driver(t, web, func(o *httpdriver.Options) { o.Store = store }))
	_, _, err := w.post(t.Context(), c, ping)
	if _, err := w.driver(t, web).Redirected(t.Context(), back(t, required(t, err)), httpdriver.Owner{}); err != nil {
		t.Fatal(err)
	}
	w.call(t, c)
	w.revokeFamily(t)
	store.on.Store(true)
	for range 3 {
		if _, _, err := w.post(t.Context(), c, ping); err == nil {
			t.Error("no error")
		}
	}
	if n := store.refused.Load(); n != 1 {
		t.Errorf("%d logins were tried", n)
	}
}

// TestCloseDuringLogin: Close ends a login that waits for a user, those who
// wait for it, and everything that was started; closing twice is closing once.
func TestCloseDuringLogin(t *testing.T) {
	errs := make(chan error, 10)
	w := newWorld(t, gathered(cap(errs)))
	h := newUser()
	d := w.driver(t, h.host)
	c := w.client(t, d)
	for range cap(errs) {
		go func() {
			_, _, err := w.post(t.Context(), c, ping)
			errs <- err
		}()
	}
	<-h.sent
	var closing sync.WaitGroup
	for range 3 {
		closing.Go(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	closing.Wait()
	<-h.left
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, httpdriver.ErrClosed) {
			t.Errorf("one who waited: %v", err)
		}
	}
	if _, err := d.Client(w.account()); !errors.Is(err, httpdriver.ErrClosed) {
		t.Errorf("a client of a closed driver: %v", err)
	}
	if _, _, err := w.post(t.Context(), c, ping); !errors.Is(err, httpdriver.ErrClosed) {
		t.Errorf("a request through a closed driver: %v", err)
	}
	if err := d.Login(t.Context(), w.account()); !errors.Is(err, httpdriver.ErrClosed) {
		t.Errorf("a login through a closed driver: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestClosedHoldsNothing: a client that outlives its driver has no token left.
func TestClosedHoldsNothing(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	c := w.client(t, d)
	w.call(t, c)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	w.Tap.reset()
	if _, _, err := w.post(t.Context(), c, ping); !errors.Is(err, httpdriver.ErrClosed) {
		t.Errorf("%v", err)
	}
	w.exactly(t, 0)
}
