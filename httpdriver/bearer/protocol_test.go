package bearer_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// An introspection that is answered with a redirect goes nowhere else: it carries
// the token and our secret (net-redirect-post).
func TestIntrospectionIsNotRedirected(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		_, _ = w.Write([]byte(`{"active":true,"sub":"ann"}`))
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := newServer(t, func(string) (int, string) { return status, other.URL + "/introspect" })
		if c, err := introspector(t, s.URL, newClock()).Verify(t.Context(), "a-token"); !errors.Is(err, bearer.ErrUnavailable) {
			t.Errorf("%d: %+v, %v", status, c, err)
		}
		s = newServer(t, func(token string) (int, string) {
			if token == "" {
				elsewhere.Add(1)
			}
			return status, "/again"
		})
		_, _ = introspector(t, s.URL, newClock()).Verify(t.Context(), "a-token")
		if n := s.calls.Load(); n != 1 {
			t.Errorf("%d: %d requests to the endpoint", status, n)
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests elsewhere", n)
	}
}

// Keys come from the address that was configured, and from no other.
func TestKeysAreNotRedirected(t *testing.T) {
	k := keysOnce()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: k.set()})
	}))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer s.Close()
	keys, err := bearer.NewKeySet(bearer.KeySetConfig{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keys.Get(t.Context(), "d", false); !errors.Is(err, bearer.ErrUnavailable) {
		t.Errorf("keys from elsewhere: %v, %v", got, err)
	}
}

// A cookie that the authorization server sets does not come back, whatever client
// the host gives.
func TestNoCookies(t *testing.T) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var cookies atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookies.Add(int32(len(r.Cookies())))
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1", Path: "/"})
		_, _ = w.Write([]byte(`{"active":false}`))
	}))
	defer s.Close()
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: s.URL, ClientID: "rs", ClientSecret: "x", Client: &http.Client{Jar: jar}})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"one", "two"} {
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, bearer.ErrInvalidToken) {
			t.Fatal(err)
		}
	}
	if n := cookies.Load(); n != 0 {
		t.Errorf("%d cookies came back", n)
	}
}

// An answer has 256 KiB at most, to the byte.
func TestSizeOfAnswers(t *testing.T) {
	const limit = 256 << 10
	for size, ok := range map[int]bool{limit: true, limit + 1: false, 2 * limit: false} {
		head, tail := `{"active":true,"sub":"ann","x":"`, `"}`
		s := newServer(t, func(string) (int, string) {
			return 200, head + strings.Repeat("x", size-len(head)-len(tail)) + tail
		})
		if _, err := introspector(t, s.URL, newClock()).Verify(t.Context(), "a-token"); (err == nil) != ok {
			t.Errorf("an answer of %d bytes: %v", size, err)
		}
	}
}

// Only a preflight that is one passes: no token, a method asked for, and only
// where it is allowed.
func TestPreflight(t *testing.T) {
	for _, c := range []struct {
		name           string
		allowed        bool
		method         string
		asks, token    string
		wantStatus     int
		reachesHandler bool
	}{
		{"a preflight", true, "OPTIONS", "POST", "", 204, true},
		{"with a token", true, "OPTIONS", "POST", "Bearer junk", 401, false},
		{"with a scheme of another kind", true, "OPTIONS", "POST", "Basic eDp5", 401, false},
		{"OPTIONS that is no preflight", true, "OPTIONS", "", "", 401, false},
		{"POST that looks like one", true, "POST", "POST", "", 401, false},
		{"where it is not allowed", false, "OPTIONS", "POST", "", 401, false},
	} {
		reached := false
		h := newGuard(t, func(g *bearer.Config) { g.Preflight = c.allowed }).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			reached = true
			w.WriteHeader(http.StatusNoContent)
		}))
		r := httptest.NewRequestWithContext(t.Context(), c.method, mcp, http.NoBody)
		if c.asks != "" {
			r.Header.Set("Access-Control-Request-Method", c.asks)
		}
		if c.token != "" {
			r.Header.Set("Authorization", c.token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.wantStatus || reached != c.reachesHandler {
			t.Errorf("%s: status %d, handler reached: %v", c.name, w.Code, reached)
		}
	}
}

// A set of keys is fetched again when its max-age is over, and no sooner than
// MinRefresh nor later than MaxAge.
func TestMaxAgeOfKeys(t *testing.T) {
	k := keysOnce()
	for _, x := range []struct {
		cacheControl string
		fresh        time.Duration
	}{
		{"", 10 * time.Minute},
		{"public, max-age=120", 2 * time.Minute},
		{"max-age=1", 30 * time.Second},
		{"max-age=86400", 10 * time.Minute},
		{"max-age=-5", 10 * time.Minute},
	} {
		c := newClock()
		var calls atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			if x.cacheControl != "" {
				w.Header().Set("Cache-Control", x.cacheControl)
			}
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: k.set()})
		}))
		keys, err := bearer.NewKeySet(bearer.KeySetConfig{URL: s.URL, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		get := func() {
			t.Helper()
			if got, err := keys.Get(t.Context(), "d", false); err != nil || len(got) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
		}
		get()
		c.advance(x.fresh - time.Second)
		get()
		if n := calls.Load(); n != 1 {
			t.Errorf("%q: %d fetches before the time was over", x.cacheControl, n)
		}
		c.advance(time.Second)
		get()
		for end := time.Now().Add(10 * time.Second); calls.Load() < 2 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		}
		if n := calls.Load(); n != 2 {
			t.Errorf("%q: %d fetches after it was", x.cacheControl, n)
		}
		s.Close()
	}
}

// A key that says for what it is, is used for that alone.
func TestKeysAreForTheirUse(t *testing.T) {
	k := keysOnce()
	v, err := bearer.NewJWT(bearer.JWTConfig{Keys: bearer.StaticKeys{
		{Key: k.rsa.Public(), KeyID: "ps", Algorithm: "PS256"},
		{Key: k.rsa.Public(), KeyID: "enc", Use: "enc"},
		{Key: k.rsa.Public(), KeyID: "sig", Use: "sig"},
		{Key: k.rsa.Public(), KeyID: "any"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		alg jose.SignatureAlgorithm
		kid string
		ok  bool
	}{
		{jose.PS256, "ps", true}, {jose.RS256, "ps", false},
		{jose.RS256, "enc", false}, {jose.RS256, "sig", true},
		{jose.RS256, "any", true}, {jose.PS256, "any", true},
	} {
		if _, err := v.Verify(t.Context(), sign(t, x.alg, k.rsa, x.kid, "at+jwt", claims)); (err == nil) != x.ok {
			t.Errorf("%s with the key %q: %v", x.alg, x.kid, err)
		}
	}
}

// A handler that changes what it was told of the user changes nothing for the next
// request with the same token.
func TestPrincipalIsACopy(t *testing.T) {
	s := newServer(t, func(string) (int, string) {
		return 200, `{"active":true,"iss":"https://as.example","sub":"ann","aud":["` + mcp + `"],"scope":["user"],"exp":` + newClock().in(time.Hour) + `}`
	})
	v := introspector(t, s.URL, newClock())
	h := newGuard(t, func(g *bearer.Config) { g.Verifier = v }).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := bearer.PrincipalFrom(r.Context())
		if !ok || p.Scopes[0] != "user" || p.Audience[0] != mcp || p.Findings[0].Detail == "edited" {
			t.Errorf("the principal is %+v", p)
		}
		p.Scopes[0], p.Audience[0], p.Findings[0].Detail, p.UserID = "root", rand.Text(), "edited", "root"
		if again, _ := bearer.PrincipalFrom(r.Context()); again.Scopes[0] != "user" || again.UserID != "ann" {
			t.Errorf("asked again, the principal is %+v", again)
		}
		w.WriteHeader(200)
	}))
	for range 2 {
		r := httptest.NewRequestWithContext(t.Context(), "POST", mcp, http.NoBody)
		r.Header.Set("Authorization", "Bearer a-token")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 200 {
			t.Fatalf("status %d", w.Code)
		}
	}
	if n := s.calls.Load(); n != 1 {
		t.Errorf("%d introspections: the second was to come from the cache", n)
	}
}

// Scopes have spaces between them and nothing else: a scope with another white
// space is one that nobody needs.
func TestScopesAreSplitAtSpaces(t *testing.T) {
	c, err := bearer.ParseIntrospection([]byte(`{"active":true,"scope":" user  a\tadmin b\nroot c\u00a0d "}`))
	if err != nil || strings.Join(c.Scopes, "|") != "user|a\tadmin|b\nroot|c\u00a0d" {
		t.Errorf("%q, %v", c.Scopes, err)
	}
}
