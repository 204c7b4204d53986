package httpdriver_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/storage"
)

// claims is a store that holds up who takes a parked login out of it.
type claims struct {
	storage.Store
	arrived, open chan struct{}
}

func (s claims) Delete(ctx context.Context, k states.Key, g states.Generation) error {
	if k.Kind == states.KindLogin {
		s.arrived <- struct{}{}
		<-s.open
	}
	return s.Store.Delete(ctx, k, g)
}

// TestRedirectTwiceBeforeTheClaim: a browser that sends a redirect a second time, before the
// first one has claimed the login, is told the same as the first: the user is logged in.
// Neither ends the other.
func TestRedirectTwiceBeforeTheClaim(t *testing.T) {
	w := newWorld(t)
	s := claims{w.Store, make(chan struct{}, 4), make(chan struct{})}
	d := w.driver(t, web, func(o *httpdriver.Options) { o.Store = s })
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	raw := back(t, required(t, err))
	ends := make(chan error, 2)
	redirected := func() {
		a, err := d.Redirected(t.Context(), raw, httpdriver.Owner{})
		if a != w.account() {
			t.Errorf("the login of %+v", a)
		}
		ends <- err
	}
	go redirected()
	<-s.arrived
	go redirected()
	until(t, "both wait", func() bool { return goroutines("httpdriver.(*Driver).Redirected", "[select") > 1 })
	close(s.open)
	for range 2 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	if n := w.Tap.count("as", "/token"); n != 1 {
		t.Errorf("%d exchanges", n)
	}
}

// TestRedirectTwiceToTheHost: it is the same if the login that waits for its user gets both.
func TestRedirectTwiceToTheHost(t *testing.T) {
	w := newWorld(t)
	h, s := newUser(), claims{w.Store, make(chan struct{}, 4), make(chan struct{})}
	d := w.driver(t, h.host, func(o *httpdriver.Options) { o.Store = s })
	ends := make(chan error, 3)
	go func() { ends <- d.Login(t.Context(), w.account()) }()
	raw, err := follow(t.Context(), <-h.sent)
	if err != nil {
		t.Fatal(err)
	}
	redirected := func() {
		_, err := d.Redirected(t.Context(), raw, httpdriver.Owner{})
		ends <- err
	}
	go redirected()
	<-s.arrived
	go redirected()
	until(t, "both wait", func() bool { return goroutines("httpdriver.(*Driver).Redirected", "[select") > 1 })
	close(s.open)
	for range 3 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	if n := w.Tap.count("as", "/token"); n != 1 {
		t.Errorf("%d exchanges", n)
	}
}

// slowRead is a store that holds up the first who reads an entry of a kind.
type slowRead struct {
	storage.Store
	kind          states.Kind
	first         atomic.Bool
	arrived, open chan struct{}
}

func (s *slowRead) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	e, err := s.Store.Get(ctx, k)
	if k.Kind == s.kind && s.first.CompareAndSwap(false, true) {
		close(s.arrived)
		<-s.open
	}
	return e, err
}

// TestRefusalTwiceAtTheEnd: a browser that sends the refusal of its user a second time, when the
// login is just ending, is told the same as the first: access was denied.
func TestRefusalTwiceAtTheEnd(t *testing.T) {
	w := newWorld(t)
	h, s := newUser(), &slowRead{Store: w.Store, kind: states.KindLogin, arrived: make(chan struct{}), open: make(chan struct{})}
	l := &lingering{nil, make(chan struct{}, 1), make(chan struct{})}
	d := w.driver(t, h.host, func(o *httpdriver.Options) { o.Store, l.Host, o.Host = s, o.Host, l })
	ends := make(chan error, 3)
	go func() { ends <- d.Login(t.Context(), w.account()) }()
	raw, err := refuse(t.Context(), <-h.sent)
	if err != nil {
		t.Fatal(err)
	}
	redirected := func() {
		_, err := d.Redirected(t.Context(), raw, httpdriver.Owner{})
		ends <- err
	}
	go redirected()
	<-s.arrived
	go redirected()
	<-l.closing
	close(s.open)
	until(t, "both wait", func() bool { return goroutines("httpdriver.(*Driver).Redirected", "[select") > 1 })
	close(l.let)
	for range 3 {
		err := <-ends
		if f, ok := fsm.FaultOf(err); !ok || f.Problem.OAuth == nil || f.Problem.OAuth.Code != "access_denied" {
			t.Error(err)
		}
	}
}

// TestRefusalToTheHost: a host that receives the redirect of a login that waits for it hears that
// its user has denied it, although a token is held.
func TestRefusalToTheHost(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t)))
	h := newUser()
	d := w.driver(t, h.host)
	logged := make(chan error, 1)
	go func() { logged <- d.Login(t.Context(), w.account()) }()
	raw, err := refuse(t.Context(), <-h.sent)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Redirected(t.Context(), raw, httpdriver.Owner{})
	for who, err := range map[string]error{"the host": err, "who logged in": <-logged} {
		if f, ok := fsm.FaultOf(err); !ok || f.Problem.OAuth == nil || f.Problem.OAuth.Code != "access_denied" {
			t.Errorf("%s: %v", who, err)
		}
	}
}

// TestRedirectsOfTwoLogins: two logins of one account are under way, and one process gets the
// redirects of both: the later redirect wins. The login that it overtakes says that it was
// cancelled, and does not use its code.
func TestRedirectsOfTwoLogins(t *testing.T) {
	for _, first := range []string{"was continued", "waits for its user"} {
		t.Run(first, func(t *testing.T) {
			w := newWorld(t)
			s := claims{w.Store, make(chan struct{}, 4), make(chan struct{})}
			raw := back(t, required(t, w.driver(t, web).Login(t.Context(), w.account())))
			h, host := newUser(), web
			if first == "waits for its user" {
				host = h.host
			}
			d := w.driver(t, host, func(o *httpdriver.Options) { o.Store = s })
			ended := make(chan error, 1)
			if first == "waits for its user" {
				go func() { ended <- d.Login(t.Context(), w.account()) }()
				<-h.sent
				close(s.open)
			} else {
				overtaken := back(t, required(t, w.driver(t, web).Login(t.Context(), w.account())))
				go func() {
					_, err := d.Redirected(t.Context(), overtaken, httpdriver.Owner{})
					ended <- err
				}()
				<-s.arrived
			}
			won := make(chan error, 1)
			go func() {
				_, err := d.Redirected(t.Context(), raw, httpdriver.Owner{})
				won <- err
			}()
			if first == "was continued" {
				until(t, "both wait", func() bool { return goroutines("httpdriver.(*Driver).Redirected", "[select") > 1 })
				close(s.open)
			}
			if f, ok := fsm.FaultOf(<-ended); !ok || f.Problem.Rule != rules.HouseCancel {
				t.Errorf("the login that was overtaken: %+v", f)
			}
			if err := <-won; err != nil {
				t.Errorf("the later one: %v", err)
			}
			if n := w.Tap.count("as", "/token"); n != 1 {
				t.Errorf("%d exchanges", n)
			}
			w.call(t, w.client(t, d))
		})
	}
}

// TestRedirectToTheHost: a host may receive a redirect itself although the driver waits for
// it: the login that waits takes it, and ends as if the listener had heard it.
func TestRedirectToTheHost(t *testing.T) {
	w := newWorld(t)
	h := newUser()
	d := w.driver(t, h.host)
	logged := make(chan error, 1)
	go func() { logged <- d.Login(t.Context(), w.account()) }()
	raw, err := follow(t.Context(), <-h.sent)
	if err != nil {
		t.Fatal(err)
	}
	a, err := d.Redirected(t.Context(), raw, httpdriver.Owner{})
	if err != nil || a != w.account() {
		t.Errorf("%+v %v", a, err)
	}
	if err := <-logged; err != nil {
		t.Errorf("who waited for the login: %v", err)
	}
	if n := w.Tap.count("as", "/token"); n != 1 {
		t.Errorf("%d exchanges", n)
	}
}
