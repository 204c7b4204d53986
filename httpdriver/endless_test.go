package httpdriver_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// away is a store that takes nothing while it is off.
type away struct {
	storage.Store
	off atomic.Bool
}

func (s *away) Put(ctx context.Context, k states.Key, v []byte, g states.Generation, e time.Time) (states.Generation, error) {
	if s.off.Load() {
		return 0, errDown
	}
	return s.Store.Put(ctx, k, v, g, e)
}

// awayAtTheToken is the store of the world. It goes away when the token endpoint is asked.
func (w *world) awayAtTheToken() *away {
	store := &away{Store: w.Store}
	w.swap("as", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			store.off.Store(true)
		}
		w.AS.ServeHTTP(rw, r)
	}))
	return store
}

// TestStoreAwayWithAResult: the store goes away while a token is on its way.
// Those who wait for the token get it; storing it goes on until the store is
// back.
func TestStoreAwayWithAResult(t *testing.T) {
	for _, grant := range []string{"authorization_code", "refresh_token"} {
		t.Run(grant, func(t *testing.T) {
			play(t, func(s *scene) {
				store := &away{Store: s.Store}
				c := s.client(s.t, s.driver(s.t, func(o *httpdriver.Options) { o.Store = store }))
				if grant == "refresh_token" {
					s.call(s.t, c)
					time.Sleep(2 * time.Hour)
				}
				s.swap("as", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/token" {
						store.off.Store(true)
					}
					s.AS.ServeHTTP(w, r)
				}))
				ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
				defer cancel()
				for range 2 {
					if status, _, err := s.post(ctx, c, ping); err != nil || status != http.StatusOK {
						s.t.Errorf("status %d, error %v", status, err)
					}
				}
				store.off.Store(false)
				time.Sleep(time.Minute)
				if k := s.kept(); k == nil || !time.Now().Before(k.Expires) {
					s.t.Error("what was obtained is not in the store")
				}
				if n := s.Tap.grants(grant); n != 1 {
					s.t.Errorf("%d token requests", n)
				}
			})
		})
	}
}

// TestHostNeverAnswers: a question that the host does not answer is answered
// by its default at its deadline.
func TestHostNeverAnswers(t *testing.T) {
	play(t, func(s *scene) {
		c := s.client(s.t, s.driver(s.t, func(o *httpdriver.Options) {
			o.Policy.Asks = []states.Question{states.AskResource}
			o.Ask = func(ctx context.Context, _ httpdriver.Account, _ states.Ask) (states.Answered, error) {
				<-ctx.Done()
				return states.Answered{}, ctx.Err()
			}
		}))
		began := time.Now()
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Hour)
		defer cancel()
		if status, _, err := s.post(ctx, c, ping); err != nil || status != http.StatusOK {
			s.t.Errorf("status %d, error %v, after %s", status, err, time.Since(began))
		}
	})
}
