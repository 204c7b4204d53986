package httpdriver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// TestEndedVisitIsNoFailure: when the driver is closed while a login waits for its user, the log
// does not say that the user could not be sent to the issuer.
func TestEndedVisitIsNoFailure(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var log page
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			o.Host = httpdriver.UserAgent(func(ctx context.Context, _ httpdriver.Visit) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			})
		})
		ctx, a, ended := t.Context(), w.account(), make(chan error, 1)
		go func() { ended <- d.Login(ctx, a) }()
		synctest.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err == nil {
			t.Error("the login has succeeded")
		}
		synctest.Wait()
		if strings.Contains(log.String(), "could not be sent") {
			t.Error(log.String())
		}
	})
}

// TestALoginIsQuiet: a login that succeeds, of a driver that nobody observes, leaves no warning
// and no error in the log.
func TestALoginIsQuiet(t *testing.T) {
	w := newWorld(t)
	var log page
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	})
	w.call(t, w.client(t, d))
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Error(err)
	}
	if log.String() != "" {
		t.Error(log.String())
	}
}

// TestClientsOfOneAccount: two clients of one account share its token, however many other
// accounts the driver has met in between and let go.
func TestClientsOfOneAccount(t *testing.T) {
	w := newWorld(t)
	s := &looks{Store: w.Store}
	d := w.driver(t, func(o *httpdriver.Options) { o.Store, o.IdleBytes = s, 4<<10 })
	first := w.client(t, d)
	w.call(t, first)
	read := s.n.Load()
	for n := range 2000 {
		if _, err := d.Client(httpdriver.Account{Server: w.Server, Subject: fmt.Sprint("user ", n)}); err != nil {
			t.Fatal(err)
		}
	}
	w.call(t, w.client(t, d))
	w.call(t, first)
	if n := s.n.Load(); n != read {
		t.Errorf("the store was read %d times more", n-read)
	}
}

// TestRenewalThatCannotBeStored: a renewal before the end of a token that cannot begin, because
// the store takes nothing, is not tried again with each request.
func TestRenewalThatCannotBeStored(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		store, steps := &away{Store: w.Store}, new(atomic.Int64)
		c := w.client(t, w.driver(t, func(o *httpdriver.Options) {
			o.Store, o.Observe = store, func(httpdriver.Step) { steps.Add(1) }
		}))
		w.call(t, c)
		time.Sleep(time.Hour - 29*time.Second)
		store.off.Store(true)
		w.call(t, c)
		for steps.Swap(0) > 0 {
			time.Sleep(time.Second) // until the renewal is given up
		}
		for range 3 {
			w.call(t, c)
			synctest.Wait()
		}
		if n := steps.Load(); n != 0 {
			t.Errorf("%d steps for requests that have a token", n)
		}
	})
}

// TestClockThatIsSlow: a process whose clock is slow waits for the lease of a process that has
// died as well, although its timers ring before the time has come by its clock.
func TestClockThatIsSlow(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		began := time.Now()
		c := w.client(t, w.driver(t, func(o *httpdriver.Options) {
			o.Store = &leased{Store: w.Store} // without notifications
			o.Clock = func() time.Time { return began.Add(time.Since(began) / 2) }
		}))
		w.call(t, c)
		time.Sleep(4 * time.Hour)
		if _, err := w.Store.Lease(t.Context(), states.Key{Kind: states.KindCredential, Name: w.Server}, 12*time.Second); err != nil {
			t.Fatal(err)
		}
		asked := time.Now()
		w.call(t, c)
		if took := time.Since(asked); took < 12*time.Second || took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// slowLeases is a store whose answers about leases take time.
type slowLeases struct {
	storage.Store
	wait  time.Duration
	asked time.Time
}

func (s *slowLeases) Lease(ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
	s.asked = time.Now()
	l, err := s.Store.Lease(ctx, k, ttl)
	time.Sleep(s.wait)
	return l, err
}

// TestLeaseOfASlowStore: a lease starts when it is asked for. The time that a slow store needs to
// answer is not available to the refresh.
func TestLeaseOfASlowStore(t *testing.T) {
	var hangs atomic.Bool
	ended := make(chan time.Time, 8)
	inBubble(t, func(t *testing.T, w *world) {
		w.call(t, w.client(t, w.driver(t)))
		time.Sleep(2 * time.Hour)
		hangs.Store(true)
		store := &slowLeases{Store: w.Store, wait: 12 * time.Second}
		_, _, err := w.post(t.Context(), w.client(t, w.driver(t, func(o *httpdriver.Options) {
			o.Store, o.Policy.HTTPTime, o.Policy.LeaseTime = store, 58*time.Second, time.Minute
		})), ping)
		hangs.Store(false)
		synctest.Wait()
		if err == nil || len(ended) != 1 {
			t.Fatalf("%v, %d refreshes", err, len(ended))
		}
		if took := (<-ended).Sub(store.asked); took < 12*time.Second || took > 51*time.Second {
			t.Errorf("the refresh ended %v after the lease was asked for", took)
		}
	}, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if hangs.Load() && r.URL.Path == "/token" {
					<-r.Context().Done()
					ended <- time.Now()
					return
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
}

// TestDocumentsBeforeTheLogin: a login that follows a refused refresh uses no document that
// another one fetched while the refresh was under way, if its server allows nobody to keep it.
func TestDocumentsBeforeTheLogin(t *testing.T) {
	var refuses atomic.Bool
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		w.call(t, w.client(t, d))
		token, err := d.Token(t.Context(), w.account())
		if err != nil {
			t.Fatal(err)
		}
		w.revoke(t, token.AccessToken)
		refuses.Store(true)
		w.Tap.reset()
		answered := asks(t.Context(), w, w.client(t, d))
		time.Sleep(time.Second)
		another := w.account()
		another.Name = "another"
		if err := d.Login(t.Context(), another); err != nil {
			t.Error(err)
		}
		if err := <-answered; err != nil {
			t.Error(err)
		}
		if n := w.Tap.count("as", "/.well-known/oauth-authorization-server"); n != 2 {
			t.Errorf("the issuer's metadata was fetched %d times: %s", n, w.Tap.list())
		}
	}, func(s setup) {
		s.Wrap["rs"] = controlled("no-store")
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return controlled("no-store")(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if refuses.Load() && r.URL.Path == "/token" && strings.Contains(bodyOf(r), "grant_type=refresh_token") {
					time.Sleep(5 * time.Second)
					denies(rw, r)
					return
				}
				h.ServeHTTP(rw, r)
			}))
		}
	})
}

// TestUnstoredTokenIsRefused: a server refuses the token of a login that cannot be stored yet.
// The request hears that, and does not wait until the store is back.
func TestUnstoredTokenIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		store := w.awayAtTheToken()
		w.swap("rs", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			r.Header.Del("Authorization")
			w.RS.ServeHTTP(rw, r)
		}))
		c := w.client(t, w.driver(t, func(o *httpdriver.Options) { o.Store = store }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		status, _, err := w.post(ctx, c, ping)
		if took := time.Since(began); took > time.Minute || err == nil && status != http.StatusUnauthorized {
			t.Errorf("status %d, %v, after %v", status, err, took)
		}
		store.off.Store(false)
		time.Sleep(time.Minute)
	})
}

// TestHostThatDoesNotAnswerIsLogged: a question that the host cannot answer is answered by its
// default, and the log says so.
func TestHostThatDoesNotAnswerIsLogged(t *testing.T) {
	w := newWorld(t)
	var b bytes.Buffer
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&b, nil))
		o.Policy.Asks = []states.Question{states.AskResource}
		o.Ask = func(context.Context, httpdriver.Account, states.Ask) (states.Answered, error) {
			return states.Answered{}, errors.New("nobody is there")
		}
	})
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(b.String(), "the default is taken") || !strings.Contains(b.String(), "nobody is there") {
		t.Errorf("the log says:\n%s", b.String())
	}
}
