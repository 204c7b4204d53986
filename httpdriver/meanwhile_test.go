package httpdriver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// The tests of this file look at what may happen while something else is under way.

// TestCloseEndsTheQueue: a login that waits for a connection to a busy store ends at once when
// the driver is closed.
func TestCloseEndsTheQueue(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		free, ended := make(chan struct{}), make(chan error, 1)
		time.AfterFunc(time.Minute, func() { close(free) })
		d := w.driver(t, func(o *httpdriver.Options) { o.Store = full{w.Store, free} })
		go func() { ended <- d.Login(t.Context(), w.account()) }()
		time.Sleep(time.Second)
		began := time.Now()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, httpdriver.ErrClosed) || time.Since(began) > time.Second {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
		time.Sleep(time.Minute)
	})
}

// TestLogoutWhileAnotherProcessHasALogin: a request waits for the login of another process when
// its user logs out. The request ends, and does not begin a login when the other process has
// gone.
func TestLogoutWhileAnotherProcessHasALogin(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		other := w.driver(t, newUser().host)
		go func() { _ = other.Login(t.Context(), w.account()) }()
		synctest.Wait()
		var asked []int
		d := w.driver(t, w.asking(t, &asked))
		answered := make(chan error, 1)
		go func() {
			_, _, err := w.post(t.Context(), w.client(t, d), ping)
			answered <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := d.Logout(t.Context(), w.account()); err != nil {
			t.Error(err)
		}
		if f, ok := fsm.FaultOf(<-answered); !ok || f.Problem.Rule != rules.HouseCancel || time.Since(began) > time.Second {
			t.Errorf("the request: %+v, after %v", f, time.Since(began))
		}
		_ = other.Close()
		time.Sleep(10 * time.Minute)
		if n := w.Tap.grants("authorization_code"); n != 0 {
			t.Errorf("%d logins", n)
		}
	})
}

// TestHostAskedBesideOthers: while a host takes its time to bind an address for one login, the
// logins of others at the same issuer go on.
func TestHostAskedBesideOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := &firstTardy{Host: w.options.Host}
		d := w.driver(t, func(o *httpdriver.Options) { o.Host = h })
		first, a := make(chan error, 1), w.account()
		go func() { first <- d.Login(t.Context(), a) }()
		synctest.Wait()
		a.Subject = "another"
		began := time.Now()
		if err := d.Login(t.Context(), a); err != nil || time.Since(began) > time.Second {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}

// TestLogoutWhileTheHostDecides: a log out ends a login at once whose host takes its time to answer
// a question.
func TestLogoutWhileTheHostDecides(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Policy.Asks = []states.Question{states.AskResource}
			o.Ask = func(ctx context.Context, _ httpdriver.Account, _ states.Ask) (states.Answered, error) {
				<-ctx.Done()
				return states.Answered{}, ctx.Err()
			}
		})
		login := make(chan error, 1)
		go func() { login <- d.Login(t.Context(), w.account()) }()
		synctest.Wait()
		began := time.Now()
		if err := d.Logout(t.Context(), w.account()); err != nil || time.Since(began) > time.Second {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
		if f, ok := fsm.FaultOf(<-login); !ok || f.Problem.Rule != rules.HouseCancel {
			t.Errorf("%+v", f)
		}
	})
}

// firstTardy is a host that takes two minutes for the first address.
type firstTardy struct {
	httpdriver.Host
	asked atomic.Bool
}

func (h *firstTardy) Bind(ctx context.Context, preferred []string) (httpdriver.Listener, error) {
	if !h.asked.Swap(true) {
		return tardy{h.Host}.Bind(ctx, preferred)
	}
	return h.Host.Bind(ctx, preferred)
}

// TestDueAtTheFirstRequestOfATrace: it is the same where a trace is recorded (see
// TestDueAtTheFirstRequest): the request does not wait for the renewal.
func TestDueAtTheFirstRequestOfATrace(t *testing.T) {
	issuer := &slowly{path: "/token", wait: 5 * time.Second}
	inBubble(t, func(t *testing.T, w *world) {
		w.call(t, w.client(t, w.driver(t)))
		time.Sleep(time.Hour - 20*time.Second)
		issuer.on.Store(true)
		began := time.Now()
		c := w.client(t, w.driver(t, func(o *httpdriver.Options) {
			o.Trace = func(httpdriver.Account) (io.WriteCloser, error) { return &writer{after: 1 << 20}, nil }
		}))
		for range 2 {
			w.call(t, c)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("two requests took %v", took)
		}
		time.Sleep(10 * time.Second)
		if n := w.Tap.grants("refresh_token"); n != 1 {
			t.Errorf("%d refreshes", n)
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}

// TestUnstoredTokenStaysInside: a token that cannot be stored yet goes to its resource alone too.
func TestUnstoredTokenStaysInside(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		store := w.awayAtTheToken()
		c := w.client(t, w.driver(t, func(o *httpdriver.Options) { o.Store = store }))
		w.call(t, c)
		for _, other := range []string{"/", "/other"} {
			if status, err := statusAt(t, c, strings.TrimSuffix(w.Server, "/mcp")+other); !errors.Is(err, httpdriver.ErrOutside) {
				t.Errorf("the token goes to %s: %d %v", other, status, err)
			}
		}
		store.off.Store(false)
	})
}

// TestUserIsToldBeforeRevocations: the page of a user who is logged in does not wait until the
// token that the login has replaced is revoked at another issuer.
func TestUserIsToldBeforeRevocations(t *testing.T) {
	play(t, func(s *scene) {
		var told, began atomic.Int64 // nanoseconds
		var revoked atomic.Bool
		h := &returning{s.options.Host, func(raw string, back func(string) httpdriver.Answer) {
			if a := back(raw); !a.OK {
				s.t.Errorf("%+v", a)
			}
			told.Store(time.Now().UnixNano() - began.Load())
		}}
		c := s.client(s.t, s.driver(s.t, func(o *httpdriver.Options) { o.Host = h }))
		s.call(s.t, c)
		s.move()
		as := *s.now["as"].Load()
		s.swap("as", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/revoke" {
				time.Sleep(10 * time.Second)
				revoked.Store(true)
			}
			as.ServeHTTP(rw, r)
		}))
		began.Store(time.Now().UnixNano())
		told.Store(int64(time.Hour))
		s.call(s.t, c)
		time.Sleep(time.Minute)
		if after := time.Duration(told.Load()); after > time.Second || !revoked.Load() {
			s.t.Errorf("told after %v; revoked: %v", after, revoked.Load())
		}
	})
}
