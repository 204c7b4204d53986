package httpdriver_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage"
)

// TestRequestsJoinTheProbe: while a refresh finds out whether an endpoint is still in trouble,
// the other requests of its account wait for it, and go on with its token.
func TestRequestsJoinTheProbe(t *testing.T) {
	var issuer answering
	slow := &slowly{path: "/token", wait: 5 * time.Second}
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		a := w.lapsed(t, d, "one")[0]
		issuer.status.Store(http.StatusServiceUnavailable)
		if _, err := d.Token(t.Context(), a); err == nil {
			t.Error("no error")
		}
		issuer.status.Store(0)
		slow.on.Store(true)
		time.Sleep(1100 * time.Millisecond)
		w.Tap.reset()
		ctx, ended := t.Context(), make(chan error, 2)
		for range cap(ended) {
			go func() {
				_, err := d.Token(ctx, a)
				ended <- err
			}()
			time.Sleep(100 * time.Millisecond)
		}
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if n := w.Tap.grants("refresh_token"); n != 1 {
			t.Errorf("%d refreshes", n)
		}
	}, func(s setup) { s.Wrap["as"] = func(h http.Handler) http.Handler { return slow.wrap(issuer.wrap(h)) } })
}

// TestARefusalEndsTheTrouble: an issuer that refuses the refresh of one account has answered, so
// that it is in trouble no longer and the others go on at once.
func TestARefusalEndsTheTrouble(t *testing.T) {
	var issuer answering
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		accounts := w.lapsed(t, d, "one", "two")
		for _, status := range []int64{http.StatusServiceUnavailable, http.StatusBadRequest} {
			issuer.status.Store(status)
			if _, err := d.Token(t.Context(), accounts[0]); err == nil {
				t.Error("no error")
			}
			if status != http.StatusBadRequest {
				time.Sleep(5 * time.Minute)
			}
		}
		issuer.status.Store(0)
		if _, err := d.Token(t.Context(), accounts[1]); err != nil {
			t.Error(err)
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}

// TestOneTriesWhileNobodyListens: while one refresh tries to reach a token endpoint at which nobody
// listens, no other one is tried.
func TestOneTriesWhileNobodyListens(t *testing.T) {
	var down atomic.Bool
	var dialed atomic.Int64
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if down.Load() && strings.HasSuffix(w.ASURL, address) {
					dialed.Add(1)
					return nil, errors.New("nobody listens there")
				}
				return w.net.dial(ctx, network, address)
			}}
		})
		accounts := w.lapsed(t, d, "one", "two")
		down.Store(true)
		if _, err := d.Token(t.Context(), accounts[0]); err == nil {
			t.Error("no error")
		}
		time.Sleep(1100 * time.Millisecond)
		ctx, ended := t.Context(), make(chan error, 1)
		go func() {
			_, err := d.Token(ctx, accounts[0])
			ended <- err
		}()
		time.Sleep(100 * time.Millisecond)
		before := dialed.Load()
		if _, err := d.Token(t.Context(), accounts[1]); err == nil || len(ended) > 0 || dialed.Load() != before {
			t.Errorf("%v; the first has ended: %v; %d tries more", err, len(ended) > 0, dialed.Load()-before)
		}
		if err := <-ended; err == nil {
			t.Error("the first had a token")
		}
	})
}

// TestRenewalAheadInTrouble: a request whose token is about to expire goes out with it while the
// token endpoint is in trouble. Its account learns of the trouble once, and then does not even ask
// the store; the renewal follows when the endpoint answers again.
func TestRenewalAheadInTrouble(t *testing.T) {
	var issuer answering
	inBubble(t, func(t *testing.T, w *world) {
		store := &tallied{counted: counted{Memory: w.Store.(*storage.Memory)}}
		d := w.driver(t, func(o *httpdriver.Options) { o.Store = store })
		accounts := w.lapsed(t, d, "one", "two", "expired")
		token := func(a httpdriver.Account) string {
			t.Helper()
			k, err := d.Token(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return k.AccessToken
		}
		first := map[string]string{}
		for _, a := range accounts[:2] {
			first[a.Name] = token(a)
		}
		time.Sleep(time.Hour - 20*time.Second)
		issuer.status.Store(http.StatusServiceUnavailable)
		if _, err := d.Token(t.Context(), accounts[2]); err == nil {
			t.Error("no error")
		}
		for _, a := range accounts[:2] {
			token(a)
		}
		store.calls.Store(0)
		for _, a := range accounts[:2] {
			if token(a) != first[a.Name] || store.calls.Load() != 0 {
				t.Errorf("%s: the store was asked %d times", a.Name, store.calls.Load())
			}
		}
		issuer.status.Store(0)
		time.Sleep(6 * time.Second)
		for _, a := range accounts[:2] {
			token(a)
			if token(a) == first[a.Name] {
				t.Errorf("%s is not renewed", a.Name)
			}
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}

// TestStepUpInTrouble: a step-up sends its user to the issuer although the account has just
// learned that no refresh is tried at the token endpoint.
func TestStepUpInTrouble(t *testing.T) {
	var issuer answering
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		accounts := w.lapsed(t, d, "one", "expired")
		c, err := d.Client(accounts[0])
		if err != nil {
			t.Fatal(err)
		}
		w.call(t, c)
		time.Sleep(time.Hour - 20*time.Second)
		issuer.status.Store(http.StatusServiceUnavailable)
		if _, err := d.Token(t.Context(), accounts[1]); err == nil {
			t.Error("no error")
		}
		w.call(t, c) // its renewal is refused, beside the request
		synctest.Wait()
		issuer.status.Store(0)
		if status, _, err := w.post(t.Context(), c, admin); err != nil || status != http.StatusOK {
			t.Errorf("status %d, %v", status, err)
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}

// TestMovedEndpointInTrouble: a token endpoint is not at its address any more, and the metadata
// that could name another one is not available. Other accounts do not ask either.
func TestMovedEndpointInTrouble(t *testing.T) {
	var gone atomic.Bool
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		accounts := w.lapsed(t, d, "one", "two")
		gone.Store(true)
		for i, a := range accounts {
			w.Tap.reset()
			_, err := d.Token(t.Context(), a)
			if f, ok := fsm.FaultOf(err); !ok || !f.Transient || (len(w.Tap.requests()) > 0) != (i == 0) {
				t.Errorf("%s: %v, %s", a.Name, err, w.Tap.list())
			}
		}
	}, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				switch {
				case gone.Load() && r.URL.Path == "/token":
					http.NotFound(rw, r)
				case gone.Load():
					unavailable(rw, r)
				default:
					h.ServeHTTP(rw, r)
				}
			})
		}
	})
}

// TestNoBareRequestMeanwhile: while a token cannot be refreshed because its endpoint is in trouble,
// no request of its account is sent without one, also if this process has never used it.
func TestNoBareRequestMeanwhile(t *testing.T) {
	var issuer answering
	inBubble(t, func(t *testing.T, w *world) {
		accounts := w.lapsed(t, w.driver(t), "one", "two")
		issuer.status.Store(http.StatusServiceUnavailable)
		d := w.driver(t)
		for _, a := range []httpdriver.Account{accounts[0], accounts[1], accounts[1]} {
			c, err := d.Client(a)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = w.post(t.Context(), c, ping)
			if f, ok := fsm.FaultOf(err); !ok || !f.Transient {
				t.Errorf("%s: %v", a.Name, err)
			}
		}
		if n := w.Tap.count("rs", "/mcp"); n != 0 {
			t.Errorf("%d requests without a token", n)
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}
