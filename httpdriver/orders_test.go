package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// The tests of this file look at what comes before what, in a bubble of time.

// TestLoginWaitsForARefresh: a login that is asked for while a refresh is under way begins
// after it, and a log out as well.
func TestLoginWaitsForARefresh(t *testing.T) {
	for _, logout := range []bool{false, true} {
		slow := &slowly{path: "/token", wait: 10 * time.Second}
		inBubble(t, func(t *testing.T, w *world) {
			d := w.driver(t)
			c := w.client(t, d)
			w.call(t, c)
			time.Sleep(2 * time.Hour)
			slow.on.Store(true)
			w.Tap.reset()
			done := make(chan error, 2)
			go func() {
				if logout { // a request would be refused after the log out, and log in
					_, err := d.Token(t.Context(), w.account())
					done <- err
					return
				}
				_, _, err := w.post(t.Context(), c, ping)
				done <- err
			}()
			time.Sleep(time.Second)
			go func() {
				if logout {
					done <- d.Logout(t.Context(), w.account())
					return
				}
				done <- d.Login(t.Context(), w.account())
			}()
			time.Sleep(5 * time.Second)
			for _, s := range w.Tap.requests() {
				if s.To == "as" && s.Path != "/token" {
					t.Errorf("logout %v: %s was sent before the refresh was over", logout, s)
				}
			}
			for range 2 {
				if err := <-done; err != nil {
					t.Errorf("logout %v: %v", logout, err)
				}
			}
			st, err := d.Status(t.Context(), w.account())
			if err != nil || st.LoggedIn == logout {
				t.Errorf("logout %v: %+v %v", logout, st, err)
			}
			if n := w.Tap.grants("authorization_code"); (n == 1) == logout {
				t.Errorf("logout %v: %d logins", logout, n)
			}
			if n := w.Tap.count("as", "/revoke"); (n > 0) != logout {
				t.Errorf("logout %v: %d revocations", logout, n)
			}
		}, func(s setup) { s.Wrap["as"] = slow.wrap })
	}
}

// TestRenewedAhead: shortly before its end a token is renewed beside a request that goes
// out with it, once, and the next request takes the new one. So it is with each token.
func TestRenewedAhead(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		c := w.client(t, d)
		w.call(t, c)
		for range 3 {
			old, err := d.Token(t.Context(), w.account())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour - 90*time.Second)
			for range 70 { // until shortly before the end
				time.Sleep(time.Second)
				w.Tap.reset()
				w.call(t, c)
				synctest.Wait()
				if w.Tap.grants("refresh_token") > 0 {
					break
				}
			}
			time.Sleep(time.Second)
			w.call(t, c)
			time.Sleep(10 * time.Second)
			w.call(t, c)
			var tokens []string
			for _, s := range w.Tap.requests() {
				if s.To == "rs" {
					tokens = append(tokens, strings.TrimPrefix(s.Header.Get("Authorization"), "Bearer "))
				}
			}
			if len(tokens) != 3 || tokens[0] != old.AccessToken || tokens[1] == old.AccessToken || tokens[2] != tokens[1] || w.Tap.grants("refresh_token") != 1 {
				t.Errorf("%d calls, %d refreshes:%s", len(tokens), w.Tap.grants("refresh_token"), w.Tap.list())
			}
		}
	})
}

// TestNoIDToken: without an ID token, or with an empty one, the error says so, and a
// provider that needs the user is told apart.
func TestNoIDToken(t *testing.T) {
	for name, c := range map[string]struct {
		token string
		err   error
		want  string
	}{
		"empty":  {"", nil, "it is empty"},
		"failed": {"x", errors.New("the vault is locked"), "the vault is locked"},
		"needed": {"", httpdriver.ErrUserNeeded, "log in at the identity provider"},
	} {
		w, _, options := enterprise(t)
		var asked []httpdriver.IdentityRequest
		d := w.driver(t, options, func(o *httpdriver.Options) {
			o.Identity = func(_ context.Context, a httpdriver.Account, q httpdriver.IdentityRequest) (string, error) {
				if a != w.account() {
					t.Errorf("asked for %v", a)
				}
				asked = append(asked, q)
				return c.token, c.err
			}
		})
		_, _, err := w.post(t.Context(), w.client(t, d), ping)
		if _, ok := fsm.FaultOf(err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		for _, q := range asked {
			if q.Client == "" || q.Provider == "" || q.Refused {
				t.Errorf("%s: asked %+v", name, q)
			}
		}
		if w.Tap.count("as", "/token") != 0 || len(asked) == 0 {
			t.Errorf("%s: asked %d times:%s", name, len(asked), w.Tap.list())
		}
	}
}

// TestOneRefreshForAll: many requests that meet the end of a token at the same time wait
// for one refresh, and each gets its answer when it is over.
func TestOneRefreshForAll(t *testing.T) {
	slow := &slowly{path: "/token", wait: 3 * time.Second}
	inBubble(t, func(t *testing.T, w *world) {
		c := w.client(t, w.driver(t))
		w.call(t, c)
		time.Sleep(2 * time.Hour)
		slow.on.Store(true)
		w.Tap.reset()
		began := time.Now()
		done := make(chan error, 10)
		for range cap(done) {
			go func() {
				status, _, err := w.post(t.Context(), c, ping)
				if err == nil && status != http.StatusOK {
					err = errors.New(http.StatusText(status))
				}
				done <- err
			}()
		}
		left, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := w.post(left, c, ping); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who leaves early: %v", err)
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); w.Tap.grants("refresh_token") != 1 || !near(took, 3*time.Second, time.Second) {
			t.Errorf("%d refreshes, after %v", w.Tap.grants("refresh_token"), took)
		}
	}, func(s setup) { s.Wrap["as"] = slow.wrap })
}

// TestDeadProcessHoldsTheLease: a refresh waits for the lease of a process that has died,
// and goes on when it has run out, although the store says nothing then.
func TestDeadProcessHoldsTheLease(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		c := w.client(t, w.driver(t))
		w.call(t, c)
		time.Sleep(2 * time.Hour)
		if _, err := w.Store.Lease(t.Context(), states.Key{Kind: states.KindCredential, Name: w.Server}, 12*time.Second); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w.call(t, c)
		if took := time.Since(began); took < 12*time.Second || took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		if n := w.Tap.grants("refresh_token"); n != 1 {
			t.Errorf("%d refreshes", n)
		}
	})
}
