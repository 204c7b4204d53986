package bearer_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/states/wire"
)

// TestBodyAtTheLimit: a body of the size that is allowed is read, and none that
// is one byte longer; a body is not asked for where nobody reads it.
func TestBodyAtTheLimit(t *testing.T) {
	const most = 64
	g := newGuard(t, func(c *bearer.Config) { c.MaxBody = most })
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping","x":"`
	for n, status := range map[int]int{most - 1: 200, most: 200, most + 1: 413, 10 * most: 413} {
		body := ping + strings.Repeat("x", n-len(ping)-2) + `"}`
		r := httptest.NewRequest("POST", "/mcp", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer good")
		w := httptest.NewRecorder()
		g.Handler(open).ServeHTTP(w, r)
		if len(body) != n || w.Code != status || status == 200 && w.Body.String() != "annika "+body {
			t.Errorf("%d bytes: %d %s", n, w.Code, w.Body)
		}
	}
	r := httptest.NewRequest("GET", "/mcp", nil)
	r.Header.Set("Authorization", "Bearer good")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Body = nil
	w := httptest.NewRecorder()
	newGuard(t, func(c *bearer.Config) { c.Tools = nil }).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })).ServeHTTP(w, r)
	if w.Code != 204 {
		t.Errorf("no body, and a form's content type: %d %s", w.Code, w.Body)
	}
}

// TestIntrospectionSecret: the secret may come from elsewhere, each time; where it
// cannot be read, nobody can tell what a token is.
func TestIntrospectionSecret(t *testing.T) {
	c := newClock()
	s := newServer(t, func(string) (int, string) { return 200, `{"active":true,"exp":` + c.in(time.Hour) + `}` })
	secret, broken := wire.Secret("s/cret"), error(nil)
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{
		URL: s.URL, ClientID: "rs", CacheFor: -1, Now: c.now,
		Secret: func(context.Context) (wire.Secret, error) {
			if secret == "" {
				panic("the vault is on fire")
			}
			return secret, broken
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), "a"); err != nil {
		t.Errorf("with the secret: %v", err)
	}
	secret = "another"
	if _, err := v.Verify(t.Context(), "b"); !errors.Is(err, bearer.ErrUnavailable) {
		t.Errorf("with another: %v", err)
	}
	before := s.calls.Load()
	broken = errors.New("the vault is closed")
	if _, err := v.Verify(t.Context(), "c"); !errors.Is(err, bearer.ErrUnavailable) || s.calls.Load() != before {
		t.Errorf("without: %v, %d questions", err, s.calls.Load()-before)
	}
	secret = ""
	if _, err := v.Verify(t.Context(), "d"); !errors.Is(err, bearer.ErrUnavailable) || s.calls.Load() != before {
		t.Errorf("where it panics: %v, %d questions", err, s.calls.Load()-before)
	}
	if _, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: s.URL, ClientID: "rs"}); err == nil {
		t.Error("no secret at all is taken")
	}
}

// TestInactiveIsNotKept: where the host says so, it is not remembered that a token
// was no good.
func TestInactiveIsNotKept(t *testing.T) {
	for keep, want := range map[time.Duration]int32{-1: 3, 0: 1} {
		c := newClock()
		s := newServer(t, func(string) (int, string) { return 200, `{"active":false}` })
		v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: s.URL, ClientID: "rs", ClientSecret: "s/cret", Now: c.now, InactiveFor: keep})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := v.Verify(t.Context(), "x"); !errors.Is(err, bearer.ErrInvalidToken) {
				t.Fatal(err)
			}
		}
		if n := s.calls.Load(); n != want {
			t.Errorf("kept for %v: asked %d times", keep, n)
		}
	}
}

// TestDatesOfAToken: a date that is none makes a token bad, whichever it is; a
// token that is bound to no key is a bearer token.
func TestDatesOfAToken(t *testing.T) {
	k := keysOnce()
	v, err := bearer.NewJWT(bearer.JWTConfig{Keys: bearer.StaticKeys(k.set())})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(payload string) (bearer.Claims, error) {
		return v.Verify(context.Background(), sign(t, jose.EdDSA, k.ed, "d", "at+jwt", payload))
	}
	for _, name := range []string{"exp", "iat", "nbf"} {
		for value, ok := range map[string]bool{"1785243600": true, "1785243600.5": true, "-1": false, "1e300": false} {
			if _, err := verify(`{"` + name + `":` + value + `}`); (err == nil) != ok {
				t.Errorf("%s %s: %v", name, value, err)
			}
		}
	}
	for member, ok := range map[string]bool{`"scope":"a b"`: true, `"scope":["a"]`: true, `"scope":1`: false, `"aud":"a"`: true, `"aud":["a"]`: true, `"aud":{}`: false} {
		if _, err := verify("{" + member + "}"); (err == nil) != ok {
			t.Errorf("%s: %v", member, err)
		}
	}
	if c, err := verify(claims); err != nil || c.Type != "" {
		t.Errorf("%+v %v", c, err)
	}
}

// TestResourcesThatAreNone: a resource is an address, and holds no password.
func TestResourcesThatAreNone(t *testing.T) {
	for resource, ok := range map[string]bool{
		mcp: true, "http://127.0.0.1:1/mcp": true, "https://me@mcp.example/mcp": false, "https://me:pw@mcp.example/": false,
		"https://mcp.example/#x": false, "ftp://mcp.example/": false, "/mcp": false, "": false, "https:///mcp": false,
	} {
		_, err := bearer.New(bearer.Config{Policy: bearer.Policy{Resource: resource, Issuers: []string{"https://as.example"}}, Verifier: tokens})
		if (err == nil) != ok {
			t.Errorf("%q: %v", resource, err)
		}
	}
}

// TestPreflightOfTheMetadata: pages of any origin may read it, and are told how.
func TestPreflightOfTheMetadata(t *testing.T) {
	w := httptest.NewRecorder()
	newGuard(t, nil).MetadataHandler().ServeHTTP(w, httptest.NewRequest("OPTIONS", "/", nil))
	h := w.Header()
	if w.Code != 204 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != "GET, HEAD, OPTIONS" ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "MCP-Protocol-Version") || h.Get("Access-Control-Max-Age") == "" {
		t.Errorf("%d %v", w.Code, h)
	}
	w = httptest.NewRecorder()
	newGuard(t, nil).MetadataHandler().ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// TestMethodsThatAreNoText: a message whose method is no text calls no tool.
func TestMethodsThatAreNoText(t *testing.T) {
	g := newGuard(t, nil)
	for body, status := range map[string]int{
		`{"method":1,"params":{"name":"purge"}}`: 200, `{"params":{"name":"purge"}}`: 200, `{"method":null}`: 200, `{}`: 200,
		`{"method":"tools/call","params":{"name":"purge"}}`: 403, `{"method":"tools/call","params":{"name":1}}`: 400, `{"method":"tools/call"}`: 400,
	} {
		r := httptest.NewRequest("POST", "/mcp", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer good")
		w := httptest.NewRecorder()
		g.Handler(open).ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("%s: %d", body, w.Code)
		}
	}
}

// TestEveryByteOfAChallenge: a value holds what a quoted string can, escaped, and
// nothing else.
func TestEveryByteOfAChallenge(t *testing.T) {
	for c := range 256 {
		b := string([]byte{byte(c)})
		want := b
		switch {
		case b == `"` || b == `\`:
			want = `\` + b
		case c < 0x20 || c > 0x7e:
			want = ""
		}
		if got := bearer.Challenge(bearer.Verdict{Says: "a" + b + "z"}, "", ""); got != `Bearer error_description="a`+want+`z"` {
			t.Errorf("byte %#x: %s", c, got)
		}
	}
}
