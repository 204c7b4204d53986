package httpdriver_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// The tests of this file look at what the trouble of one account does to others at the same
// token endpoint.

// answering is a token endpoint that refuses, as long as it has a status for that.
type answering struct{ status atomic.Int64 }

func (a *answering) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if status := int(a.status.Load()); status != 0 && r.URL.Path == "/token" {
			if status == http.StatusBadRequest {
				denies(rw, r)
			} else {
				http.Error(rw, "not now", status)
			}
			return
		}
		h.ServeHTTP(rw, r)
	})
}

// lapsed gives accounts of a driver whose tokens have expired.
func (w *world) lapsed(t *testing.T, d *httpdriver.Driver, names ...string) (accounts []httpdriver.Account) {
	t.Helper()
	for _, name := range names {
		a := w.account()
		a.Name = name
		accounts = append(accounts, a)
		if err := d.Login(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * time.Hour)
	w.Tap.reset()
	return accounts
}

// tallied is a store in memory that counts how often it is asked and read, and the watches of
// it that have begun and ended.
type tallied struct {
	counted
	reads, watches, ended atomic.Int64
}

func (s *tallied) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	s.reads.Add(1)
	return s.counted.Get(ctx, k)
}

func (s *tallied) Watch(k states.Key) (<-chan struct{}, func()) {
	changed, stop := s.Memory.Watch(k)
	s.watches.Add(1)
	return changed, func() { s.ended.Add(1); stop() }
}

// TestRefusedWithNothingTaken: a refresh that is not tried because its endpoint is in trouble
// takes neither the lease nor one of the places at the endpoint, and watches nothing when it has
// ended: another process can refresh at once, and this one when it may try again. Until then a
// request does not ask the store.
func TestRefusedWithNothingTaken(t *testing.T) {
	var issuer answering
	inBubble(t, func(t *testing.T, w *world) {
		store := &tallied{counted: counted{Memory: w.Store.(*storage.Memory)}}
		d := w.driver(t, func(o *httpdriver.Options) { o.Store, o.MaxRefreshes = store, 1 })
		accounts := w.lapsed(t, d, "one", "two", "three")
		issuer.status.Store(http.StatusServiceUnavailable)
		for _, a := range accounts {
			_, err := d.Token(t.Context(), a)
			if f, ok := fsm.FaultOf(err); !ok || !f.Transient {
				t.Errorf("%s: %v", a.Name, err)
			}
		}
		if n := store.watches.Load() - store.ended.Load(); n != 0 {
			t.Errorf("%d watches", n)
		}
		store.calls.Store(0)
		if _, err := d.Token(t.Context(), accounts[0]); err == nil || store.calls.Load() != 0 {
			t.Errorf("%v, and the store was asked %d times", err, store.calls.Load())
		}
		issuer.status.Store(0)
		began := time.Now()
		if _, err := w.driver(t).Token(t.Context(), accounts[1]); err != nil || time.Since(began) > time.Second {
			t.Errorf("another process: %v, after %v", err, time.Since(began))
		}
		time.Sleep(time.Second)
		began = time.Now()
		if _, err := d.Token(t.Context(), accounts[2]); err != nil || time.Since(began) > time.Second {
			t.Errorf("when it may try again: %v, after %v", err, time.Since(began))
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}

// TestOneTriesForAll: while one refresh finds out whether an endpoint is still in trouble, and
// is told to come again, no other one is sent.
func TestOneTriesForAll(t *testing.T) {
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusRequestTimeout} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			var issuer answering
			inBubble(t, func(t *testing.T, w *world) {
				d := w.driver(t)
				accounts := w.lapsed(t, d, "one", "two")
				issuer.status.Store(int64(status))
				if _, err := d.Token(t.Context(), accounts[0]); err == nil {
					t.Error("no error")
				}
				time.Sleep(1100 * time.Millisecond)
				w.Tap.reset()
				ended := make(chan error, 1)
				go func() {
					_, err := d.Token(t.Context(), accounts[0])
					ended <- err
				}()
				time.Sleep(100 * time.Millisecond)
				if _, err := d.Token(t.Context(), accounts[1]); err == nil || len(ended) > 0 || w.Tap.grants("refresh_token") != 1 {
					t.Errorf("%v; the first has ended: %v; %d refreshes", err, len(ended) > 0, w.Tap.grants("refresh_token"))
				}
				if err := <-ended; err == nil {
					t.Error("the first had a token")
				}
			}, func(s setup) { s.Wrap["as"] = issuer.wrap })
		})
	}
}

// TestRefusedRefreshIsOneAccounts: that an issuer refuses the refresh of one account says
// nothing about the others.
func TestRefusedRefreshIsOneAccounts(t *testing.T) {
	var issuer answering
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		accounts := w.lapsed(t, d, "one", "two")
		issuer.status.Store(http.StatusBadRequest)
		if _, err := d.Token(t.Context(), accounts[0]); err == nil {
			t.Error("no error")
		}
		issuer.status.Store(0)
		if _, err := d.Token(t.Context(), accounts[1]); err != nil {
			t.Error(err)
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}

// TestVisitHoldsUpNobody: while the user of one account is at the issuer, another account logs
// in and refreshes there, also where one refresh is allowed at a time and the login began as one.
func TestVisitHoldsUpNobody(t *testing.T) {
	var issuer answering
	inBubble(t, func(t *testing.T, w *world) {
		user := &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}
		stays, came := make(chan struct{}), make(chan struct{})
		store := &tallied{counted: counted{Memory: w.Store.(*storage.Memory)}}
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Store, o.MaxRefreshes = store, 1
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				if v.Account.Name == "one" {
					stays <- struct{}{}
					<-came
				}
				return followBy(ctx, user, v)
			})
		})
		one, two := w.account(), w.account()
		one.Name, two.Name = "one", "two"
		c, err := d.Client(two)
		if err != nil {
			t.Fatal(err)
		}
		for round := range 3 {
			ended := make(chan error, 1)
			go func() {
				if round == 2 {
					ended <- d.Login(t.Context(), one)
					return
				}
				c, err := d.Client(one)
				if err == nil {
					_, _, err = w.post(t.Context(), c, ping)
				}
				ended <- err
			}()
			<-stays
			if n := store.watches.Load() - store.ended.Load(); n != 0 {
				t.Errorf("the store is watched %d times", n)
			}
			issuer.status.Store(0)
			began := time.Now()
			w.call(t, c)
			if took := time.Since(began); took > time.Second {
				t.Errorf("the other account waited %v", took)
			}
			came <- struct{}{}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			for _, a := range []httpdriver.Account{one, two} {
				token, err := d.Token(t.Context(), a)
				if err != nil {
					t.Fatal(err)
				}
				w.revoke(t, token.AccessToken)
			}
			issuer.status.Store(http.StatusBadRequest) // the refresh of one is refused, and a login follows
		}
		if n := w.Tap.grants("refresh_token"); n != 3 {
			t.Errorf("%d refreshes", n)
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}
