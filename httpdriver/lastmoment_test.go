package httpdriver_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestLoginInTheLastMoment: a login for more that joins another one in its last moment is a second
// step. Who began the first has what they wanted, also if the user denies the second.
func TestLoginInTheLastMoment(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		visits, asked := w.options.Host.(httpdriver.UserAgent), 0
		joined := make(chan error, 1)
		var last states.State
		var once sync.Once
		var d *httpdriver.Driver
		d = w.driver(t, func(o *httpdriver.Options) {
			o.Observe = func(s httpdriver.Step) { last = s.Result.Machine.State }
			o.Clock = func() time.Time {
				if last == states.Withdrawing && called("(*run).step") {
					once.Do(func() {
						go func() { joined <- d.Login(t.Context(), w.account(), "admin") }()
						synctest.Wait()
					})
				}
				return time.Now()
			}
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				if asked++; asked > 1 {
					return refuse(ctx, v)
				}
				return visits(ctx, v)
			})
		})
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Errorf("the first: %v", err)
		}
		if err := <-joined; err == nil || asked != 2 {
			t.Errorf("the second: %v, the user was asked %d times", err, asked)
		}
	})
}

// TestFirstUseDuringADenial: the first request of an account in a process joins a login under way
// that its user denies. It has the token that is stored.
func TestFirstUseDuringADenial(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.call(t, w.client(t, w.driver(t)))
		come := make(chan struct{})
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				<-come
				return refuse(ctx, v)
			})
		})
		logged := make(chan error, 1)
		go func() { logged <- d.Login(t.Context(), w.account()) }()
		synctest.Wait()
		answered := asks(t.Context(), w, w.client(t, d))
		synctest.Wait()
		close(come)
		if err := <-logged; err == nil {
			t.Error("the user has denied it")
		}
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

// TestLoginEndsBeforeRevocations: who logs in does not wait until the token of the old client is
// revoked.
func TestLoginEndsBeforeRevocations(t *testing.T) {
	revoking := &slowly{path: "/revoke", wait: 10 * time.Second}
	revoking.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		d, began := w.driver(t), time.Now()
		for _, anew := range []bool{false, true} {
			if err := d.LoginWith(t.Context(), w.account(), httpdriver.LoginOptions{NewClient: anew}); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the logins took %v", took)
		}
	}, func(s setup) { s.Wrap["as"] = revoking.wrap })
}

// TestTakenTokenIsNotRenewed: when it is stored that the server took the token, the machine is not
// told that a renewal is due.
func TestTakenTokenIsNotRenewed(t *testing.T) {
	var seen steps
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t, seen.add)))
	for _, step := range seen.all {
		if _, tick := step.Input.(states.Ticked); tick {
			t.Errorf("a tick in %s", step.From.State)
		}
	}
}

// TestChallengesOfOneLineMore: what a server says in one line less is another challenge: the machine
// of the login under way is told both.
func TestChallengesOfOneLineMore(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		dies := w.driver(t, newUser().host)
		go func() { _ = dies.Login(t.Context(), w.account()) }()
		synctest.Wait()
		var seen steps
		c := w.client(t, w.driver(t, seen.add))
		var all sync.WaitGroup
		for _, lines := range []string{"two", "one"} { // they wait for the other process
			all.Go(func() {
				if status, err := statusAt(t, c, w.Server+"?lines="+lines); err != nil || status != http.StatusOK {
					t.Errorf("%d %v", status, err)
				}
			})
			synctest.Wait()
		}
		_ = dies.Close()
		all.Wait()
		heard := 0
		for _, step := range seen.all {
			if _, ok := step.Input.(states.Challenged); ok {
				heard++
			}
		}
		if heard != 2 {
			t.Errorf("the machine was told %d challenges", heard)
		}
	}, func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				lines := r.URL.Query().Get("lines")
				if lines == "" || r.Header.Get("Authorization") != "" {
					h.ServeHTTP(rw, r)
					return
				}
				rw.Header().Add("WWW-Authenticate", `Bearer scope="user"`)
				if lines == "two" {
					rw.Header().Add("WWW-Authenticate", `Basic realm="other"`)
				}
				rw.WriteHeader(http.StatusUnauthorized)
			})
		}
	})
}

// TestNoProofOfAnUnboundToken: where bound tokens are wanted and the issuer gives none, no proof goes
// with a token, as none was asked for.
func TestNoProofOfAnUnboundToken(t *testing.T) {
	w := newWorld(t, binding(states.TryBinding, peer.NoDPoP))
	d := w.driver(t)
	w.call(t, w.client(t, d))
	for _, s := range w.Tap.requests() {
		if s.Header.Get("DPoP") != "" {
			t.Errorf("%s has a proof", s)
		}
	}
}
