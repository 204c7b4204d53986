package httpdriver_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// TestRefreshesAreBounded: many accounts whose tokens have expired refresh at once at an
// issuer that answers one at a time. As many as MaxRefreshes are there at once, no more
// and no fewer; all succeed, each with one request.
//
// The issuer answers only when everything else waits (synctest), so that whatever the
// driver would send meanwhile has arrived.
func TestRefreshesAreBounded(t *testing.T) {
	const accounts, most = 40, 4
	play(t, func(s *scene) {
		d := s.driver(s.t, func(o *httpdriver.Options) { o.MaxRefreshes = most })
		account := func(i int) httpdriver.Account {
			a := s.account()
			a.Subject = fmt.Sprint("user-", i)
			return a
		}
		for i := range accounts {
			if err := d.Login(s.t.Context(), account(i)); err != nil {
				s.t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Hour)
		var inside atomic.Int64
		answer := make(chan struct{})
		issuer := *s.now["as"].Load()
		s.swap("as", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				inside.Add(1)
				<-answer
				inside.Add(-1)
			}
			issuer.ServeHTTP(w, r)
		}))
		s.Tap.reset()
		var all sync.WaitGroup
		for i := range accounts {
			all.Go(func() {
				if _, err := d.Token(s.t.Context(), account(i)); err != nil {
					s.t.Error(err)
				}
			})
		}
		for left := accounts; left > 0; left-- {
			synctest.Wait()
			if n := inside.Load(); n != int64(min(most, left)) {
				s.t.Errorf("%d token requests at once with %d refreshes left", n, left)
			}
			answer <- struct{}{}
		}
		all.Wait()
		given := map[string]int{}
		for _, r := range s.Tap.requests() {
			if strings.HasSuffix(r.Path, "/token") {
				given[r.form("refresh_token")]++
			}
		}
		if len(given) != accounts || len(s.Tap.requests()) != accounts {
			s.t.Errorf("%d refresh tokens in %d requests for %d accounts", len(given), len(s.Tap.requests()), accounts)
		}
	})
}
