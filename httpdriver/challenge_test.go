package httpdriver_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
)

// hidden stands before a server and moves its metadata to an address that only
// the challenge names.
func hidden(h http.Handler) http.Handler {
	const wellKnown, moved = "/.well-known/oauth-protected-resource", "/moved"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, wellKnown):
			http.NotFound(w, r)
			return
		case r.URL.Path == moved:
			r.URL.Path = wellKnown + "/mcp"
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		for name, values := range rec.Header() {
			for _, v := range values {
				w.Header().Add(name, strings.ReplaceAll(v, wellKnown+"/mcp", moved))
			}
		}
		w.Header().Del("Content-Length")
		w.WriteHeader(rec.Code)
		// It lists more than the challenge names.
		_, _ = io.WriteString(w, strings.Replace(rec.Body.String(), `"scopes_supported":["user"]`, `"scopes_supported":["user","admin"]`, 1))
	})
}

// TestLoginHearsTheChallenge: a login that is asked for, the first time or again,
// sends the user off with the same request as a login that a refused request
// began: the scopes of the challenge, and the metadata that only it names.
func TestLoginHearsTheChallenge(t *testing.T) {
	var mu sync.Mutex
	var asked []url.Values
	world := func(t *testing.T) *world {
		return newWorld(t, func(s setup) {
			s.Wrap["rs"] = hidden
			s.Driver.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				u, err := url.Parse(v.URL)
				if err != nil {
					return "", err
				}
				mu.Lock()
				asked = append(asked, u.Query())
				mu.Unlock()
				return follow(ctx, v)
			})
		})
	}
	met := world(t)
	met.call(t, met.client(t, met.driver(t)))

	fresh := world(t)
	d := fresh.driver(t)
	for range 2 { // and again while a token is held
		if err := d.Login(t.Context(), fresh.account()); err != nil {
			t.Fatal(err)
		}
	}
	if err := fresh.driver(t).Login(t.Context(), fresh.account()); err != nil { // in another process
		t.Fatal(err)
	}
	fresh.call(t, fresh.client(t, d))
	if len(asked) != 4 {
		t.Fatalf("%d visits, not 4", len(asked))
	}
	for i, q := range asked {
		if got := q.Get("scope"); got != "user" {
			t.Errorf("visit %d asks for the scopes %q, and the challenge names user", i, got)
		}
		if !slices.Contains([]string{met.Server, fresh.Server}, q.Get("resource")) {
			t.Errorf("visit %d is for the resource %q", i, q.Get("resource"))
		}
	}
	// Beyond what the server asks for.
	if err := d.Login(t.Context(), fresh.account(), "admin"); err != nil {
		t.Fatal(err)
	}
	if got := asked[len(asked)-1].Get("scope"); got != "user admin" {
		t.Errorf("with admin wanted as well it asks for %q", got)
	}
	if n := fresh.Tap.count("rs", "/moved"); n == 0 {
		t.Error("the metadata that the challenge names was not read")
	}
	if n := fresh.Tap.count("as", "/register"); n != 1 {
		t.Errorf("%d registrations", n)
	}
	if n := fresh.Tap.count("rs", "/register"); n != 0 {
		t.Errorf("%d registrations at the server's own origin", n)
	}
}

// TestLoginWithoutAChallenge: a server that is silent, or that answers without a
// login, is logged in to nevertheless; what its answer began there is ended.
func TestLoginWithoutAChallenge(t *testing.T) {
	var ended []string
	session := "session-1"
	w := newWorld(t, func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/mcp" || r.Header.Get("Authorization") != "" {
					h.ServeHTTP(w, r)
					return
				}
				if r.Method == http.MethodDelete {
					ended = append(ended, r.Header.Get("Mcp-Session-Id"))
					return
				}
				if session != "" {
					w.Header().Set("Mcp-Session-Id", session)
				}
				_, _ = w.Write([]byte("{}"))
			})
		}
	})
	d := w.driver(t)
	for range 2 {
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		session = "" // an answer that begins none
	}
	if !slices.Equal(ended, []string{"session-1"}) {
		t.Errorf("the sessions that were ended: %q", ended)
	}
	w.call(t, w.client(t, d))
	other := w.account()
	other.Name = "other"
	source, err := d.LoginTokenSource(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Token(); err != nil {
		t.Error(err)
	}
}

// TestLinkWithoutAChallenge: a server that lets anybody begin gives no challenge to a login. A request
// that it refuses then is answered by the same link.
func TestLinkWithoutAChallenge(t *testing.T) {
	w := newWorld(t, func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost && strings.Contains(bodyOf(r), `"initialize"`) {
					_, _ = io.WriteString(rw, "{}")
					return
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
	d := w.driver(t, web)
	link := required(t, d.Login(t.Context(), w.account()))
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	if need := required(t, err); need.URL != link.URL {
		t.Error("another link for the request")
	}
}

// openAnswers is a transport whose answers are counted until they are closed.
type openAnswers struct {
	http.RoundTripper
	open *atomic.Int64
}

func (c openAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		c.open.Add(1)
		resp.Body = openAnswer{resp.Body, sync.OnceFunc(func() { c.open.Add(-1) })}
	}
	return resp, err
}

type openAnswer struct {
	io.ReadCloser
	closed func()
}

func (a openAnswer) Close() error { a.closed(); return a.ReadCloser.Close() }

// TestAnswersToALoginAreClosed: what servers answer to a login is closed: to its first request,
// to the end of a session that this began, and to all that follows. The first request is heard
// also if it is forbidden; a session that cannot be ended is no hindrance.
func TestAnswersToALoginAreClosed(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusAccepted, http.StatusMultipleChoices, http.StatusForbidden} {
		w := newWorld(t, func(s setup) {
			s.Wrap["rs"] = func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/mcp" {
						h.ServeHTTP(rw, r)
						return
					}
					if r.Method == http.MethodDelete && status == http.StatusAccepted {
						panic(http.ErrAbortHandler)
					}
					rw.Header().Set("Mcp-Session-Id", "session-1")
					if status == http.StatusForbidden {
						rw.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="admin"`)
					}
					if r.Method == http.MethodPost {
						rw.WriteHeader(status)
					}
					_, _ = io.WriteString(rw, "{}")
				})
			}
		})
		var open atomic.Int64
		var scopes []string
		d := w.driver(t, func(o *httpdriver.Options) {
			o.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return openAnswers{next, &open} }
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				scopes = scopesOf(t, v.URL)
				return follow(ctx, v)
			})
		})
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if n := open.Load(); n != 0 || slices.Contains(scopes, "admin") != (status == http.StatusForbidden) {
			t.Errorf("%d: %d answers are open; the login asked for %v", status, n, scopes)
		}
		ended := 0
		for _, s := range w.Tap.requests() {
			if s.Method == http.MethodDelete && s.Header.Get("Mcp-Session-Id") == "session-1" && s.Header["Content-Type"] == nil {
				ended++
			}
		}
		if (ended > 0) != (status < 300) {
			t.Errorf("%d: %d sessions were ended", status, ended)
		}
	}
}

// TestNewClient: a login may ask for a new client, and a login that was given up
// during the visit does not rely on the registered one again.
func TestNewClient(t *testing.T) {
	away := make(chan struct{})
	gone := false
	w := newWorld(t, func(s setup) {
		s.Driver.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			if !gone {
				return follow(ctx, v)
			}
			close(away) // the issuer's error page sends nobody back
			<-ctx.Done()
			return "", ctx.Err()
		})
	})
	d := w.driver(t)
	registered := func(want int, what string) {
		t.Helper()
		if n := w.Tap.count("as", "/register"); n != want {
			t.Errorf("%s: %d registrations, not %d", what, n, want)
		}
	}
	for range 2 {
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
	}
	registered(1, "a second login")
	if err := d.LoginWith(t.Context(), w.account(), httpdriver.LoginOptions{NewClient: true}); err != nil {
		t.Fatal(err)
	}
	registered(2, "a login with a new client")

	gone = true
	other := w.driver(t)
	go func() { _ = other.Login(context.Background(), w.account()) }()
	<-away
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	gone = false
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	registered(3, "after a login that was given up")
}
