package httpdriver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// TestLinkOverElsewhere: a link whose login was denied in another replica is not shown again.
// A login that fails after that is not tried again at once.
func TestLinkOverElsewhere(t *testing.T) {
	w := newWorld(t)
	store := &refusing{Store: w.Store}
	one, two := w.driver(t, web, func(o *httpdriver.Options) { o.Store = store }), w.driver(t, web)
	c := w.client(t, one)
	var last string
	for range 2 {
		_, _, err := w.post(t.Context(), c, ping)
		need := required(t, err)
		if need.URL == last {
			t.Error("a link that is over is shown again")
		}
		last = need.URL
		raw, err := refuse(t.Context(), httpdriver.Visit{URL: need.URL, Issuer: need.Issuer, RedirectURI: webCallback})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := two.Redirected(t.Context(), raw, httpdriver.Owner{}); err == nil {
			t.Error("no error")
		}
	}
	store.on.Store(true)
	for range 3 {
		_, _, err := w.post(t.Context(), c, ping)
		if f, ok := fsm.FaultOf(err); !ok || f.Party != states.PartyStore {
			t.Errorf("the login cannot be stored: %v", err)
		}
	}
	if n := store.refused.Load(); n != 1 {
		t.Errorf("%d logins were tried", n)
	}
}

// refusing is a store that takes no login while it is switched on.
type refusing struct {
	storage.Store
	on      atomic.Bool
	refused atomic.Int64
}

func (s *refusing) Put(ctx context.Context, k states.Key, v []byte, g states.Generation, e time.Time) (states.Generation, error) {
	if s.on.Load() && k.Kind == states.KindLogin {
		s.refused.Add(1)
		return 0, errDown
	}
	return s.Store.Put(ctx, k, v, g, e)
}

// TestDeniedLinkIsNotReplaced: who denied the login of a link is not shown another one at once.
func TestDeniedLinkIsNotReplaced(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t, web)
	c := w.client(t, d)
	_, _, err := w.post(t.Context(), c, ping)
	need := required(t, err)
	raw, err := refuse(t.Context(), httpdriver.Visit{URL: need.URL, Issuer: need.Issuer, RedirectURI: webCallback})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Redirected(t.Context(), raw, httpdriver.Owner{}); err == nil {
		t.Error("no error")
	}
	_, _, err = w.post(t.Context(), c, ping)
	if f, ok := fsm.FaultOf(err); !ok || f.Problem.OAuth == nil || f.Problem.OAuth.Code != "access_denied" {
		t.Errorf("%v", err)
	}
}

// TestLinkWhileTheStoreIsAway: while the store cannot tell whether the login of a link still
// waits, the link is shown again; while it answers nothing at all, the error says so.
func TestLinkWhileTheStoreIsAway(t *testing.T) {
	w := newWorld(t)
	s := &down{Store: w.Store}
	for _, store := range []storage.Store{lostLogins{w.Store}, s} {
		c := w.client(t, w.driver(t, web, func(o *httpdriver.Options) { o.Store = store }))
		_, _, err := w.post(t.Context(), c, ping)
		first := required(t, err)
		s.off = store == s
		_, _, err = w.post(t.Context(), c, ping)
		if s.off {
			if f, ok := fsm.FaultOf(err); !ok || f.Party != states.PartyStore {
				t.Errorf("the store is away: %v", err)
			}
			s.off = false // and is back at once
			_, _, err = w.post(t.Context(), c, ping)
		}
		if need := required(t, err); need.URL != first.URL {
			t.Error("another link")
		}
	}
}

// TestLinkOfAStepUp: the link of a step-up is shown for every refusal that it would answer. A
// refusal that only looks like one is the caller's.
func TestLinkOfAStepUp(t *testing.T) {
	w := newWorld(t, func(s setup) {
		challenge := `Bearer resource_metadata="` + strings.TrimSuffix(s.RS.Resource, "/mcp") + `/.well-known/oauth-protected-resource/mcp"`
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/mcp" || r.Header.Get("Authorization") != "" {
					h.ServeHTTP(rw, r)
					return
				}
				status := http.StatusUnauthorized
				if r.URL.RawQuery == "forbidden" {
					status = http.StatusForbidden
				}
				rw.Header().Set("WWW-Authenticate", challenge)
				http.Error(rw, "not for you", status)
			})
		}
	})
	d := w.driver(t, web)
	c := w.client(t, d)
	_, _, err := w.post(t.Context(), c, ping)
	need := required(t, err)
	if status, err := statusAt(t, c, w.Server+"?forbidden"); err != nil || status != http.StatusForbidden {
		t.Errorf("a 403 with the challenge of the 401: %d %v", status, err)
	}
	if _, err := d.Redirected(t.Context(), back(t, need), httpdriver.Owner{}); err != nil {
		t.Fatal(err)
	}
	links := map[string]bool{}
	for range 3 {
		_, _, err = w.post(t.Context(), c, admin)
		links[required(t, err).URL] = true
	}
	if len(links) != 1 {
		t.Errorf("%d links", len(links))
	}
}

// TestLinkIsForNo403: the link of a login that a user asked for, at a server that lets everybody
// in, is not shown for a 403 that a login would not change.
func TestLinkIsForNo403(t *testing.T) {
	w := newWorld(t, func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path != "/mcp":
					h.ServeHTTP(rw, r)
				case r.URL.RawQuery == "forbidden":
					rw.Header().Set("WWW-Authenticate", `Bearer realm="mcp"`)
					http.Error(rw, "not for you", http.StatusForbidden)
				default:
					echo(rw, r)
				}
			})
		}
	})
	d := w.driver(t, web)
	_ = required(t, d.Login(t.Context(), w.account()))
	if status, err := statusAt(t, w.client(t, d), w.Server+"?forbidden"); err != nil || status != http.StatusForbidden {
		t.Errorf("%d %v", status, err)
	}
}

// TestLinkIsNotPrinted: an error that holds a link shows nobody the state of its login.
func TestLinkIsNotPrinted(t *testing.T) {
	w := newWorld(t)
	_, _, err := w.post(t.Context(), w.client(t, w.driver(t, web)), ping)
	need := required(t, err)
	u, err := url.Parse(need.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(verb, need); strings.Contains(text, u.Query().Get("state")) || !strings.Contains(text, w.ASURL) {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

// changedLogins is a store in which a login changes before it is removed.
type changedLogins struct{ storage.Store }

func (s changedLogins) Delete(ctx context.Context, k states.Key, g states.Generation) error {
	if k.Kind == states.KindLogin {
		return storage.ErrConflict
	}
	return s.Store.Delete(ctx, k, g)
}

// TestLogoutWithALink: a log out that cannot remove the login of a link says so in the log,
// and goes on; one that removes it, or whose login was finished elsewhere, be it in that moment, has
// nothing to say.
func TestLogoutWithALink(t *testing.T) {
	for _, how := range []string{"broken", "finished elsewhere", "finished in that moment", "waits"} {
		broken := how == "broken"
		w := newWorld(t)
		var log bytes.Buffer
		d := w.driver(t, web, func(o *httpdriver.Options) {
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			switch how {
			case "broken":
				o.Store = lostLogins{w.Store}
			case "finished in that moment":
				o.Store = changedLogins{w.Store}
			}
		})
		_, _, err := w.post(t.Context(), w.client(t, d), ping)
		need := required(t, err)
		if how == "finished elsewhere" {
			if _, err := w.driver(t, web).Redirected(t.Context(), back(t, need), httpdriver.Owner{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Logout(t.Context(), w.account()); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(log.String(), "could not be removed"); got != broken {
			t.Errorf("%s: %q", how, &log)
		}
		if _, err := w.Store.Get(t.Context(), states.Key{Kind: states.KindMark, Name: w.Server}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: the mark is still there: %v", how, err)
		}
	}
}

// TestRedirectAtAnotherAddress: a host that hands in a redirect with an address that is not the
// login's is told so at once. The login still waits, here and in other replicas, and the
// account's requests go on.
func TestRedirectAtAnotherAddress(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h, ended := newUser(), make(chan error, 1)
		begins := w.driver(t, h.host)
		go func() { ended <- begins.Login(t.Context(), w.account()) }()
		raw, err := followBy(t.Context(), &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}, <-h.sent)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		replica := w.driver(t, web)
		for _, d := range []*httpdriver.Driver{begins, replica} {
			for _, wrong := range []string{strings.Replace(raw, "/callback?", "/elsewhere?", 1), strings.Replace(raw, "http:", "https:", 1)} {
				began := time.Now()
				a, err := d.Redirected(t.Context(), wrong, httpdriver.Owner{})
				if err == nil || !strings.Contains(err.Error(), "another address") || strings.Contains(err.Error(), u.Query().Get("code")) || a != w.account() || time.Since(began) > time.Second {
					t.Errorf("%+v, %v, after %v", a, err, time.Since(began))
				}
			}
		}
		if _, err := begins.Redirected(t.Context(), u.RequestURI(), httpdriver.Owner{}); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.call(t, w.client(t, replica))
	})
}

// TestRedirectedNeedsTheUserAgain: a login that a host takes up with a redirect of its own may
// have to ask the authorization server once more. A host that opens browsers listens for no
// redirect of that login, so that it ends at once and says what to do.
func TestRedirectedNeedsTheUserAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		wanted := func(o *httpdriver.Options) { o.Policy.Scopes = []string{"admin"} }
		need := required(t, w.driver(t, web, wanted).Login(t.Context(), w.account()))
		h := newUser()
		began := time.Now()
		_, err := w.driver(t, h.host, wanted).Redirected(t.Context(), refusedScope(t, w, need.URL), httpdriver.Owner{})
		if f, ok := fsm.FaultOf(err); !ok || !strings.Contains(f.Problem.Detail, "log in again") || time.Since(began) > time.Second {
			t.Errorf("%v, %+v, after %v", err, f, time.Since(began))
		}
	})
}
