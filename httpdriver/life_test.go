package httpdriver_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// exactly fails the test unless so many requests were made, the refused one
// counted.
func (w *world) exactly(t *testing.T, n int) {
	t.Helper()
	if got := len(w.Tap.requests()); got != n {
		t.Errorf("%d requests instead of %d:%s", got, n, w.Tap.list())
	}
}

// TestLife takes one credential through its life and counts what each turn
// costs in requests: 6 cold, 1 with a token, 2 expired, 3 for a step-up with
// metadata that is known, 1 after a restart.
//
// Rules: prm-client-uses.
func TestLife(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	c := w.client(t, d)

	w.call(t, c)
	w.exactly(t, 6)

	w.Tap.reset()
	w.call(t, c)
	w.exactly(t, 1)

	w.Tap.reset()
	w.Clock.forward(2 * time.Hour)
	w.call(t, c)
	w.exactly(t, 2)
	if w.Tap.grants("refresh_token") != 1 {
		t.Errorf("an expired token is refreshed once:%s", w.Tap.list())
	}

	w.Tap.reset()
	if status, body, err := w.post(t.Context(), c, admin); status != 200 {
		t.Fatalf("step-up: %d %q %v", status, body, err)
	}
	w.exactly(t, 3)
	st, err := d.Status(t.Context(), w.account())
	if err != nil || len(st.Scopes) != 2 || !st.LoggedIn || !st.Renewable || st.Issuer != w.ASURL {
		t.Errorf("after the step-up: %+v, %v", st, err)
	}

	w.Tap.reset()
	w.call(t, w.client(t, w.driver(t)))
	w.exactly(t, 1)

	w.Tap.reset()
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	if n := w.Tap.count("as", "/revoke"); n == 0 {
		t.Errorf("nothing was revoked:%s", w.Tap.list())
	}
	if st, err := d.Status(t.Context(), w.account()); err != nil || st.LoggedIn {
		t.Errorf("after the logout: %+v, %v", st, err)
	}
	if _, err := d.Token(t.Context(), w.account()); !errors.Is(err, httpdriver.ErrNoToken) {
		t.Errorf("a token after the logout: %v", err)
	}

	// The registration stays: the next login does not register.
	w.Tap.reset()
	w.call(t, c)
	if w.Tap.count("as", "/register") != 0 {
		t.Errorf("registered again:%s", w.Tap.list())
	}
}

// TestRejectedToken: a 401 with a token means reload, refresh, and only then a
// login; each once.
func TestRejectedToken(t *testing.T) {
	t.Run("refreshed", func(t *testing.T) {
		w := newWorld(t)
		d := w.driver(t)
		c := w.client(t, d)
		w.call(t, c)
		tok, err := d.Token(t.Context(), w.account())
		if err != nil {
			t.Fatal(err)
		}
		w.revoke(t, tok.AccessToken)
		w.Tap.reset()
		w.call(t, c)
		w.exactly(t, 3)
		if w.Tap.grants("refresh_token") != 1 || w.Tap.grants("authorization_code") != 0 {
			t.Errorf("a refresh was expected:%s", w.Tap.list())
		}
	})
	t.Run("adopted from another process", func(t *testing.T) {
		w := newWorld(t)
		one, two := w.driver(t), w.driver(t)
		c1, c2 := w.client(t, one), w.client(t, two)
		w.call(t, c1)
		w.call(t, c2)
		tok, err := one.Token(t.Context(), w.account())
		if err != nil {
			t.Fatal(err)
		}
		w.revoke(t, tok.AccessToken)
		w.call(t, c1) // refreshes
		w.Tap.reset()
		w.call(t, c2) // finds the new one in the store
		w.exactly(t, 2)
		if n := w.Tap.grants("refresh_token"); n != 0 {
			t.Errorf("%d refreshes, though the other process had refreshed", n)
		}
	})
	t.Run("logged in again", func(t *testing.T) {
		w := newWorld(t)
		d := w.driver(t)
		c := w.client(t, d)
		w.call(t, c)
		w.revokeFamily(t)
		w.Tap.reset()
		w.call(t, c)
		if w.Tap.grants("refresh_token") != 1 || w.Tap.grants("authorization_code") != 1 {
			t.Errorf("one refresh, then one login were expected:%s", w.Tap.list())
		}
	})
	t.Run("never taken", func(t *testing.T) {
		w := newWorld(t, func(s setup) { *s.Faults = []string{"endless-401"} })
		d := w.driver(t)
		_, _, err := w.post(t.Context(), w.client(t, d), ping)
		var bad *fsm.PeerError
		if !errors.As(err, &bad) || bad.Problem.Rule != rules.ChallengeFreshTokenLoop {
			t.Fatalf("%v", err)
		}
		if n := w.Tap.grants("authorization_code"); n > 2 {
			t.Errorf("%d logins", n)
		}
		// A second request, a moment later, asks nobody.
		w.Tap.reset()
		if _, _, err := w.post(t.Context(), w.client(t, d), ping); !errors.As(err, &bad) {
			t.Fatalf("%v", err)
		}
		if n := w.Tap.grants("authorization_code") + w.Tap.grants("refresh_token"); n != 0 {
			t.Errorf("%d further token requests:%s", n, w.Tap.list())
		}
	})
}

// revoke makes a token unusable at the servers, as an operator would.
func (w *world) revoke(t *testing.T, token string) {
	t.Helper()
	var id string
	for _, s := range w.Tap.requests() {
		if v := s.form("client_id"); s.Path == "/token" && v != "" {
			id = v
		}
	}
	operator := &http.Transport{DisableKeepAlives: true}
	if w.net != nil {
		operator.DialContext = w.net.dial
	}
	resp, err := (&http.Client{Transport: operator}).PostForm(w.ASURL+"/revoke", map[string][]string{"token": {token}, "client_id": {id}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("revocation: %d", resp.StatusCode)
	}
}

// revokeFamily makes both tokens of the newest grant unusable.
func (w *world) revokeFamily(t *testing.T) {
	t.Helper()
	key := states.Key{Kind: states.KindCredential, Name: w.Server}
	e, err := w.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := states.DecodeCredential(wire.Secret(e.Value))
	if err != nil {
		t.Fatal(err)
	}
	w.revoke(t, c.Current.RefreshToken.Reveal())
}

// TestForbidden: a 403 that is no scope challenge is the caller's, untouched
// and sent once (challenge-403-without-challenge).
func TestForbidden(t *testing.T) {
	w := newWorld(t, func(s setup) {
		s.RS.MCP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("as") == "challenge" {
				w.Header().Set("WWW-Authenticate", `Basic realm="other"`)
			}
			http.Error(w, "not for you", http.StatusForbidden)
		})
	})
	d := w.driver(t)
	c := w.client(t, d)
	if status, body, err := w.post(t.Context(), c, ping); status != 403 || body != "not for you\n" {
		t.Fatalf("%d %q %v", status, body, err)
	}
	w.Tap.reset()
	if status, body, err := w.post(t.Context(), c, ping); status != 403 || body != "not for you\n" {
		t.Fatalf("%d %q %v", status, body, err)
	}
	w.exactly(t, 1)
	w.Tap.reset()
	resp, err := c.Get(w.Server + "?as=challenge")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Fatal(resp.Status)
	}
	w.exactly(t, 1)
}

// TestDenied: the user says no; nothing is lost, and the next request does
// not send them there again.
func TestDenied(t *testing.T) {
	t.Run("at the first login", func(t *testing.T) {
		w := newWorld(t, func(s setup) { s.AS.Deny = true })
		d := w.driver(t)
		c := w.client(t, d)
		_, _, err := w.post(t.Context(), c, ping)
		f, ok := fsm.FaultOf(err)
		if !ok || f.Problem.OAuth == nil || f.Problem.OAuth.Code != "access_denied" {
			t.Fatalf("%v", err)
		}
		w.Tap.reset()
		if _, _, err := w.post(t.Context(), c, ping); err == nil {
			t.Fatal("no error")
		}
		w.exactly(t, 1)
	})
	t.Run("at a step-up", func(t *testing.T) {
		w := newWorld(t)
		one := w.driver(t)
		w.call(t, w.client(t, one))
		// Another process over the same store, whose user says no.
		two := w.driver(t, func(o *httpdriver.Options) { o.Host = httpdriver.UserAgent(refuse) })
		c := w.client(t, two)
		_, _, err := w.post(t.Context(), c, admin)
		f, ok := fsm.FaultOf(err)
		if !ok || f.Problem.OAuth == nil || f.Problem.OAuth.Code != "access_denied" {
			t.Fatalf("%v", err)
		}
		w.Tap.reset()
		w.call(t, c) // the token that was held
		w.exactly(t, 1)
	})
}

// TestStepUpFruitless: a server that asks again for what was granted ends it.
func TestStepUpFruitless(t *testing.T) {
	w := newWorld(t, func(s setup) { *s.Faults = []string{"endless-403"} })
	d := w.driver(t)
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	var bad *fsm.PeerError
	if !errors.As(err, &bad) || bad.Problem.Rule != rules.StepupSameChallengeTerminal {
		t.Fatalf("%v", err)
	}
	if n := len(w.Tap.requests()); n > 14 {
		t.Errorf("%d requests:%s", n, w.Tap.list())
	}
}

// TestLegacy: an MCP server of 2025-03-26 is its own issuer.
func TestLegacy(t *testing.T) {
	w := newWorld(t)
	ready, origin := w.listen("legacy")
	lc := devas.DefaultLegacy(origin)
	lc.AS.AutoConsent, lc.AS.Now, lc.MCP = true, w.Clock.Now, http.HandlerFunc(echo)
	l, err := devas.NewLegacy(lc)
	if err != nil {
		t.Fatal(err)
	}
	ready(l)
	w.Server = origin + "/mcp"
	d := w.driver(t)
	w.call(t, w.client(t, d))
	st, err := d.Status(t.Context(), w.account())
	if err != nil || st.Revision != states.R1 || st.Issuer != origin {
		t.Errorf("%+v %v", st, err)
	}
}

// TestTakenByAnother: one process saw its token taken, and another one that starts
// afterwards meets a server that has forgotten it. That is no server which takes no
// token: it logs in again.
func TestTakenByAnother(t *testing.T) {
	w := newWorld(t)
	noRefresh := func(o *httpdriver.Options) { o.Policy.NoRefresh = true }
	first := w.driver(t, noRefresh)
	w.call(t, w.client(t, first))
	token, err := first.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	w.revoke(t, token.AccessToken)
	w.Tap.reset()
	w.call(t, w.client(t, w.driver(t, noRefresh)))
	if n := w.Tap.grants("authorization_code"); n != 1 {
		t.Errorf("%d logins:%s", n, w.Tap.list())
	}
}
