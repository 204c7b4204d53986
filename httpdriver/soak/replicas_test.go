//go:build unix

package soak_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// site is a small web host with two replicas behind a round-robin. Each replica has its
// own driver and its own store connection.
type site struct {
	w     *world
	front *httptest.Server
	turn  atomic.Int64 // which replica's turn it is

	mu       sync.Mutex
	replicas []*replica
}

// replica stands for one process of the host; a test cannot tell the difference.
type replica struct {
	d     *httpdriver.Driver
	site  *site
	saw   atomic.Int64 // how many callbacks it got
	owner func(r *http.Request) httpdriver.Owner
}

func newSite(t *testing.T, w *world, change ...func(*httpdriver.Options)) *site {
	t.Helper()
	s := &site{w: w}
	s.front = httptest.NewServer(s)
	t.Cleanup(func() { s.front.CloseClientConnections(); s.front.Close() })
	for range 2 {
		s.add(t, change...)
	}
	return s
}

// add starts a replica.
func (s *site) add(t *testing.T, change ...func(*httpdriver.Options)) *replica {
	t.Helper()
	d := s.w.driver(t, nil, append([]func(*httpdriver.Options){func(o *httpdriver.Options) {
		o.Host = httpdriver.Web(s.front.URL + "/callback")
		o.Policy.Redirects = []string{s.front.URL + "/callback"}
	}}, change...)...)
	r := &replica{d: d, site: s, owner: func(r *http.Request) httpdriver.Owner {
		c, err := r.Cookie("user")
		if err != nil {
			return httpdriver.Owner{Tenant: s.w.tenant}
		}
		return httpdriver.Owner{Tenant: s.w.tenant, Subject: c.Value}
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicas = append(s.replicas, r)
	return r
}

// ServeHTTP is the round-robin.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	to := s.replicas[int(s.turn.Add(1)-1)%len(s.replicas)]
	s.mu.Unlock()
	to.ServeHTTP(w, r)
}

// ServeHTTP does what a host does: /tool calls the MCP server for the user of the session,
// and /callback takes the redirect.
func (p *replica) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	owner := p.owner(r)
	a := httpdriver.Account{Server: p.site.w.Server, Tenant: owner.Tenant, Subject: owner.Subject}
	page := func(status int, text string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<!doctype html><title>host</title><p>"+html.EscapeString(text))
	}
	switch r.URL.Path {
	case "/tool":
		err := request(r.Context(), p.d, a)
		var login *httpdriver.LoginRequiredError
		switch {
		case errors.As(err, &login):
			http.Redirect(w, r, login.URL, http.StatusFound)
		case err != nil:
			page(http.StatusBadGateway, err.Error())
		default:
			page(http.StatusOK, "done")
		}
	case "/callback":
		p.saw.Add(1)
		_, err := p.d.Redirected(r.Context(), p.site.front.URL+r.URL.RequestURI(), owner)
		switch {
		case errors.Is(err, httpdriver.ErrForeignLogin):
			page(http.StatusForbidden, err.Error())
		case errors.Is(err, httpdriver.ErrUnknownLogin):
			page(http.StatusGone, err.Error())
		case err != nil:
			page(http.StatusBadGateway, err.Error())
		default:
			page(http.StatusOK, "logged in")
		}
	default:
		http.NotFound(w, r)
	}
}

// ask acts as the browser of one user and follows no redirect.
func (s *site) ask(t *testing.T, user, address string) (status int, location, text string) {
	t.Helper()
	c := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(address, s.front.URL) {
		req.AddCookie(&http.Cookie{Name: "user", Value: user})
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Error(err)
		return 0, "", ""
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header.Get("Location"), string(b)
}

// link takes a user to the authorization endpoint and back, but does not hand in the
// callback.
func (s *site) link(t *testing.T, user string) (callback string) {
	t.Helper()
	status, to, text := s.ask(t, user, s.front.URL+"/tool")
	if status != http.StatusFound {
		t.Fatalf("no login was asked for: %d %s", status, text)
	}
	_, callback, text = s.ask(t, user, to)
	if !strings.HasPrefix(callback, s.front.URL+"/callback?") {
		t.Fatalf("sent to %q: %s", callback, text)
	}
	return callback
}

func (s *site) next(n int64) { s.turn.Store(n) }

// TestReplicas: a login that one replica began is finished once, by whichever replica the
// callback reaches, and only by the user who began it (authz-resp-claimed-once,
// authz-resp-owner-bound).
func TestReplicas(t *testing.T) {
	t.Parallel()
	for _, kind := range servers {
		t.Run(kind, func(t *testing.T) {
			s := newSite(t, newWorld(t, place(t, kind)))
			t.Run("either", s.either)
			t.Run("at once", s.atOnce)
			t.Run("foreign", s.foreign)
			t.Run("replayed", s.replayed)
			t.Run("restarted", s.restarted)
		})
		t.Run(kind+", expired", func(t *testing.T) {
			w := newWorld(t, place(t, kind))
			// By the store's clock these replicas are ten minutes late, so what they park has
			// already expired when it arrives.
			s := newSite(t, w, func(o *httpdriver.Options) {
				o.Clock = func() time.Time { return w.now().Add(-10 * time.Minute) }
			})
			status, _, text := s.ask(t, "alice", s.link(t, "alice"))
			if status != http.StatusGone || !strings.Contains(text, "expired") {
				t.Errorf("%d %s", status, text)
			}
			if got := w.counts(); got.Logins+got.Codes != 0 {
				t.Errorf("a code was sent: %v", got)
			}
		})
	}
}

func (s *site) either(t *testing.T) {
	for i, user := range []string{"alice", "bob", "carol", "dave"} {
		s.next(int64(i))
		callback := s.link(t, user)
		s.next(int64(i / 2)) // the same replica, or the other one
		if status, _, text := s.ask(t, user, callback); status != http.StatusOK {
			t.Errorf("%s: %d %s", user, status, text)
		}
		before := s.w.counts()
		for range 4 { // so that both replicas know it
			if status, _, text := s.ask(t, user, s.front.URL+"/tool"); status != http.StatusOK {
				t.Errorf("%s, after the login: %d %s", user, status, text)
			}
		}
		if got := s.w.counts().minus(before); got != (counts{}) {
			t.Errorf("%s: after the login: %v", user, got)
		}
	}
	if a, b := s.replicas[0].saw.Load(), s.replicas[1].saw.Load(); a == 0 || b == 0 {
		t.Errorf("callbacks reached %d and %d", a, b)
	}
}

// atOnce hands one callback to both replicas, several times at once.
func (s *site) atOnce(t *testing.T) {
	for i := range 3 {
		user := fmt.Sprint("twice-", i)
		callback := s.link(t, user)
		before := s.w.counts()
		var wg sync.WaitGroup
		var ok, gone atomic.Int64
		for range 6 {
			wg.Go(func() {
				switch status, _, text := s.ask(t, user, callback); status {
				case http.StatusOK:
					ok.Add(1)
				case http.StatusGone:
					gone.Add(1)
				default:
					t.Errorf("%d %s", status, text)
				}
			})
		}
		wg.Wait()
		got := s.w.counts().minus(before)
		if want := (counts{Logins: 1}); got != want || ok.Load() == 0 {
			t.Errorf("%v (%d codes refused), %d pages of success, %d of a login that is over", got, got.Codes, ok.Load(), gone.Load())
		}
	}
}

// foreign: the session of another user cannot hand in the callback, and the login still
// waits for its own user.
func (s *site) foreign(t *testing.T) {
	callback := s.link(t, "erin")
	before := s.w.counts()
	for range 2 {
		status, _, text := s.ask(t, "mallory", callback)
		if status != http.StatusForbidden || !strings.Contains(text, "somebody else") {
			t.Errorf("%d %s", status, text)
		}
	}
	if got := s.w.counts().minus(before); got != (counts{}) {
		t.Errorf("a code was sent: %v", got)
	}
	if status, to, _ := s.ask(t, "mallory", s.front.URL+"/tool"); status != http.StatusFound || to == "" {
		t.Errorf("mallory has a token: %d", status)
	}
	if status, _, text := s.ask(t, "erin", callback); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
}

func (s *site) replayed(t *testing.T) {
	callback := s.link(t, "frank")
	if status, _, text := s.ask(t, "frank", callback); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	before := s.w.counts()
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	invented := s.front.URL + "/callback?" + url.Values{"state": {strings.Repeat("x", 43)}, "code": {"c"}, "iss": {s.w.ASURL}}.Encode()
	for _, again := range []string{callback, callback, invented, s.front.URL + "/callback", s.front.URL + "/callback?code=" + u.Query().Get("code")} {
		status, _, text := s.ask(t, "frank", again)
		if status != http.StatusGone || !strings.Contains(text, "expired or was finished already") {
			t.Errorf("%d %s", status, text)
		}
	}
	if got := s.w.counts().minus(before); got != (counts{}) {
		t.Errorf("a code was sent again: %v", got)
	}
	if status, _, _ := s.ask(t, "frank", s.front.URL+"/tool"); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}

// restarted: every replica is replaced between link and callback.
func (s *site) restarted(t *testing.T) {
	callback := s.link(t, "grace")
	s.mu.Lock()
	old := s.replicas
	s.replicas = nil
	s.mu.Unlock()
	for _, p := range old {
		_ = p.d.Close()
	}
	// The others live as long as the test that made the site.
	o := httpdriver.Options{
		Store: s.w.where.must(t), Clock: s.w.now, Host: httpdriver.Web(s.front.URL + "/callback"),
		Policy: httpdriver.Policy{Redirects: []string{s.front.URL + "/callback"}},
	}
	d, err := httpdriver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	fresh := &replica{d: d, site: s, owner: old[0].owner}
	s.mu.Lock()
	s.replicas = []*replica{fresh}
	s.mu.Unlock()
	if status, _, text := s.ask(t, "grace", callback); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	if err := request(context.Background(), d, httpdriver.Account{Server: s.w.Server, Tenant: s.w.tenant, Subject: "grace"}); err != nil {
		t.Error(err)
	}
}
