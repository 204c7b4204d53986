package httpdriver_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/states"
)

// binder is a host that binds as it is told.
type binder func() (httpdriver.Listener, error)

func (b binder) Bind(context.Context, []string) (httpdriver.Listener, error) { return b() }

// TestAddressThatCannotBeUsed: a host that binds no address, or one that it cannot name, gets the
// reason in the log, and nothing stays open.
func TestAddressThatCannotBeUsed(t *testing.T) {
	w := newWorld(t)
	bad, c := true, &openings{Host: httpdriver.UserAgent(follow)}
	nameless := panicking{c, &bad, "address"}
	for want, bind := range map[string]binder{
		"no port is free":                     func() (httpdriver.Listener, error) { return nil, errors.New("no port is free") },
		"Host.Bind of the host panicked":      func() (httpdriver.Listener, error) { return nil, nil },
		"of the host panicked: address":       func() (httpdriver.Listener, error) { return nameless.Bind(t.Context(), nil) },
		"no address is listening for the red": func() (httpdriver.Listener, error) { panic("bind") },
	} {
		var log bytes.Buffer
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host, o.Logger = bind, slog.New(slog.NewTextHandler(&log, nil))
		})
		if err := d.Login(t.Context(), w.account()); err == nil {
			t.Errorf("%s: no error", want)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), want) || c.open.Load() != 0 {
			t.Errorf("%s: %d addresses are open; the log is\n%s", want, c.open.Load(), &log)
		}
	}
}

// TestAddressThatComesTooLate: an address that a host binds at the moment in which the login ends for
// want of one does not stay open.
func TestAddressThatComesTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		late, once := make(chan struct{}), sync.Once{}
		come := func() { once.Do(func() { close(late); synctest.Wait() }) }
		h := &openings{Host: w.options.Host}
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = binder(func() (httpdriver.Listener, error) {
				<-late
				return h.Bind(t.Context(), nil)
			})
			o.Clock = func() time.Time {
				if called("(*session).ended") {
					come()
				}
				return w.Clock.Now()
			}
		})
		if err := d.Login(t.Context(), w.account()); err == nil {
			t.Error("a login without an address")
		}
		select {
		case <-late:
		default:
			t.Error("the address came after the end")
		}
		come()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if n := h.open.Load(); n != 0 {
			t.Errorf("%d addresses are open", n)
		}
	})
}

// TestClockSetBackWhileAHostIsAsked: where the clock is set back while a host is asked for an
// address, the login ends when the time is up by that clock.
func TestClockSetBackWhileAHostIsAsked(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		never := make(chan struct{})
		defer close(never)
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = binder(func() (httpdriver.Listener, error) {
				w.Clock.forward(-time.Minute)
				<-never
				return nil, errors.New("no address")
			})
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, ok := fsm.FaultOf(d.Login(ctx, w.account())); !ok {
			t.Error("the login does not end")
		}
	})
}

// TestUserAtAnotherDeviceTakesTime: users who decide at another device may take longer than a
// login may without its user, and hold up nobody else at the same issuer meanwhile.
func TestUserAtAnotherDeviceTakesTime(t *testing.T) {
	var decided atomic.Bool
	inBubble(t, func(t *testing.T, w *world) {
		shown := make(chan string, 4)
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Policy.Grant = states.DeviceGrant
			o.Show = func(a httpdriver.Account, _ states.Show) { shown <- a.Name }
		})
		ended := make(chan error, 2)
		for _, name := range []string{"one", "two"} {
			a := w.account()
			a.Name = name
			began := time.Now()
			go func() { ended <- d.Login(t.Context(), a) }()
			if got := <-shown; got != name || time.Since(began) > time.Second {
				t.Errorf("the code of %s is shown after %v", got, time.Since(began))
			}
		}
		time.Sleep(3 * time.Minute)
		decided.Store(true)
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			pending := says(http.StatusBadRequest, "application/json", `{"error":"authorization_pending"}`)
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" && !decided.Load() {
					pending(rw, r)
					return
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
}

// TestLoginWaitsForAnotherLogin: a login that waits for another one of this process, which waits
// to register a client, waits no longer than it may take.
func TestLoginWaitsForAnotherLogin(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		taken := &leased{Store: w.Store}
		if err := w.driver(t, func(o *httpdriver.Options) { o.Store = taken }).Login(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		key := taken.keys[0]
		e, err := w.Store.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Store.Delete(t.Context(), key, e.Generation); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Store.Lease(t.Context(), key, time.Hour); err != nil { // by a process that died
			t.Fatal(err)
		}
		d := w.driver(t, func(o *httpdriver.Options) { o.Policy.LoginTime = 10 * time.Second })
		began, ended := time.Now(), make(chan time.Duration, 2)
		for _, name := range []string{"one", "two"} {
			a := w.account()
			a.Name = name
			go func() {
				if err := d.Login(t.Context(), a); err == nil || !strings.Contains(err.Error(), "10s") {
					t.Errorf("%s: %v", name, err)
				}
				ended <- time.Since(began)
			}()
		}
		if first := <-ended; !near(first, 10*time.Second, time.Second) {
			t.Errorf("the first ended after %v", first)
		}
		<-ended
	})
}

// TestAcceptedThoughNotStored: a server has accepted the token of a login, and that could not be
// stored. When the server no longer accepts it, the server is not taken for one that accepts none.
func TestAcceptedThoughNotStored(t *testing.T) {
	store := &away{}
	w := newWorld(t, func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					store.off.Store(true)
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
	store.Store = w.Store
	d := w.driver(t, func(o *httpdriver.Options) { o.Store, o.Policy.NoRefresh = store, true })
	c := w.client(t, d)
	w.call(t, c)
	w.swap("rs", w.RS)
	store.off.Store(false)
	token, err := d.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	w.revoke(t, token.AccessToken)
	w.call(t, c)
}

// TestUnboundTokenIsNotUsed: where bound tokens are required, a stored token that is not bound is
// not sent.
func TestUnboundTokenIsNotUsed(t *testing.T) {
	w := newWorld(t, binding(states.NoBinding, peer.DPoPOffered))
	w.call(t, w.client(t, w.driver(t)))
	w.Tap.reset()
	w.call(t, w.client(t, w.driver(t, func(o *httpdriver.Options) { o.Policy.Binding = states.RequireBinding })))
	w.proofs(t)
}

// TestExpiredLinkAndCooling: a link that nobody has used in time does not keep a login that fails
// after it from cooling down.
func TestExpiredLinkAndCooling(t *testing.T) {
	w := newWorld(t)
	store := &refusing{Store: w.Store}
	c := w.client(t, w.driver(t, web, func(o *httpdriver.Options) { o.Store = store }))
	_, _, err := w.post(t.Context(), c, ping)
	_ = required(t, err)
	w.Clock.forward(time.Hour)
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

// TestStepUpCoolsFromTheBeginning: after a step-up that failed and may be tried again, further
// step-ups wait, and longer each time. After one that succeeded, that begins anew; a refresh does
// not end it.
func TestStepUpCoolsFromTheBeginning(t *testing.T) {
	w := newWorld(t, func(s setup) {
		for _, name := range []string{"one", "two", "three", "four"} {
			s.AS.Scopes = append(s.AS.Scopes, name)
			s.RS.Tools = append(s.RS.Tools, bearer.ToolScopes{Tool: name, Scopes: []string{name}})
		}
	})
	store := &refusing{Store: w.Store}
	d := w.driver(t, func(o *httpdriver.Options) { o.Store = store })
	c := w.client(t, d)
	w.call(t, c)
	tool := func(name string) (tried bool, err error) {
		store.refused.Store(0)
		_, _, err = w.post(t.Context(), c, strings.Replace(admin, "admin", name, 1))
		return store.refused.Load() > 0, err
	}
	store.on.Store(true)
	if tried, err := tool("one"); err == nil || !tried {
		t.Errorf("one: %v", err)
	}
	w.Clock.forward(time.Minute)
	store.on.Store(false)
	if _, err := tool("two"); err != nil {
		t.Errorf("two: %v", err)
	}
	store.on.Store(true)
	if tried, err := tool("three"); err == nil || !tried {
		t.Errorf("three: %v", err)
	}
	token, err := d.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	w.revoke(t, token.AccessToken)
	w.call(t, c)
	for _, want := range []states.State{states.Parking, states.StepUp} { // at first it is the failure of three, and then that there were too many
		_, err := tool("four")
		if f, ok := fsm.FaultOf(err); !ok || f.State != want {
			t.Errorf("four: %v, not in %s", err, want)
		}
		w.Clock.forward(1100 * time.Millisecond)
	}
}
