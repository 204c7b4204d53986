package bearer_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// ask sends one request through a guard.
func ask(t *testing.T, g *bearer.Guard, method, authorization string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, mcp, body)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	g.Handler(open).ServeHTTP(w, r)
	return w
}

const form = "application/x-www-form-urlencoded"

// TestOrderOfJudging: a token that is not good enough is answered as such, whatever else
// is wrong with the request, and only the body of a POST is looked into for tools.
func TestOrderOfJudging(t *testing.T) {
	g := newGuard(t, nil)
	for _, c := range []struct {
		name, method, token string
		body                io.Reader
		kind                string
		status              int
		code                string
	}{
		{"expired, with another token in the form", "POST", "expired", strings.NewReader("access_token=good"), form, 401, "invalid_token"},
		{"expired, with a body that is no JSON", "POST", "expired", strings.NewReader("<xml/>"), "", 401, "invalid_token"},
		{"another method than POST, with a body that is no JSON", "PUT", "good", strings.NewReader("<xml/>"), "", 200, ""},
		{"a body that breaks off", "POST", "good", iotest.ErrReader(errors.New("gone")), "", 400, "invalid_request"},
		{"a form that breaks off", "PUT", "good", iotest.ErrReader(errors.New("gone")), form, 400, "invalid_request"},
		{"nobody can tell", "POST", "down", http.NoBody, "", 503, "temporarily_unavailable"},
		{"no scope", "POST", "scopeless", http.NoBody, "", 403, "insufficient_scope"},
	} {
		w := ask(t, g, c.method, "Bearer "+c.token, c.body, "Content-Type", c.kind)
		var said struct{ Error string }
		if w.Code != 200 {
			if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s: %s %v", c.name, w.Body, err)
			}
		}
		if w.Code != c.status || said.Error != c.code {
			t.Errorf("%s: %d %q", c.name, w.Code, said.Error)
		}
		if wait := w.Header().Get("Retry-After"); (wait == "5") != (c.status == 503) {
			t.Errorf("%s: Retry-After %q", c.name, wait)
		}
	}
	if w := ask(t, g, "GET", "", http.NoBody); !strings.Contains(w.Body.String(), `"error":"unauthorized"`) || w.Header().Get("Access-Control-Expose-Headers") != "WWW-Authenticate" {
		t.Errorf("without a token: %s %v", w.Body, w.Header())
	}
}

// TestBodyByDefault: a body may have a megabyte.
func TestBodyByDefault(t *testing.T) {
	g := newGuard(t, nil)
	for more, status := range map[int]int{0: 200, 1: 413} {
		head, tail := `{"x":"`, `"}`
		body := head + strings.Repeat("x", 1<<20-len(head)-len(tail)+more) + tail
		if w := ask(t, g, "POST", "Bearer good", strings.NewReader(body)); w.Code != status {
			t.Errorf("%d bytes: %d", len(body), w.Code)
		}
	}
}

// TestMessages: what a body calls is found in every form that a decoder accepts, and a
// body that is none is refused.
func TestMessages(t *testing.T) {
	g := newGuard(t, nil)
	const purge = `{"method":"tools/call","params":{"name":"purge"}}`
	for body, status := range map[string]int{
		" \r\n\t[" + purge + "] ": 403, " " + purge + "\n": 403, "[]": 200, "\n": 200,
		`"text"`: 400, `1`: 400, `null`: 400, `[1]`: 400, `[` + purge: 400, `[{},]`: 400,
		`{"a"`: 400, `{"a":`: 400, `{"a":1`: 400, `{"a":1}}`: 400, `{1:2}`: 400, `{"method":"tools/call","params":[]}`: 400,
		`{"method":"tools/call","params":{"name":""}}`: 400, `{"method":"tools/call","params":{}}`: 400,
		`{"method":"tools/call","params":{"name":"other"}}`: 200,
	} {
		if w := ask(t, g, "POST", "Bearer good", strings.NewReader(body)); w.Code != status {
			t.Errorf("%q: %d", body, w.Code)
		}
	}
}

// TestScopeNamedOnce: a scope that the resource and the handler need is named once.
func TestScopeNamedOnce(t *testing.T) {
	w := httptest.NewRecorder()
	newGuard(t, nil).Require(open, "user", "extra", "user").ServeHTTP(w, httptest.NewRequest("GET", mcp, nil))
	if c := w.Header().Get("WWW-Authenticate"); !strings.Contains(c, `scope="user extra"`) {
		t.Error(c)
	}
}

// TestReadTokenAtItsBounds: a token has 16 KiB at most, of the octets that it may have;
// what is wrong with the field is said.
func TestReadTokenAtItsBounds(t *testing.T) {
	const most = 16 << 10
	for token, ok := range map[string]bool{
		strings.Repeat("a", most): true, strings.Repeat("a", most+1): false,
		"azAZ09": true, "a`": false, "a{": false, "a@": false, "a[": false, "a:": false, "=": false, "a=b": false,
	} {
		got, v := bearer.ReadToken([]string{"Bearer " + token})
		if v.OK() != ok || ok && got != token || !ok && v.Error != "invalid_token" {
			t.Errorf("%.20q, %d bytes: %+v", token, len(token), v)
		}
	}
	for says, fields := range map[string][]string{
		"more than one":           {"Bearer a", "Bearer b"},
		"not followed by":         {"Bearer"},
		"followed by more than a": {"Bearer a b"},
	} {
		if _, v := bearer.ReadToken(fields); v.Status != 400 || !strings.Contains(v.Says, says) {
			t.Errorf("%q: %+v", fields, v)
		}
	}
}

// TestPrincipals: who sent a request is known behind a guard, and nowhere else.
func TestPrincipals(t *testing.T) {
	if p, ok := bearer.PrincipalFrom(t.Context()); ok {
		t.Errorf("without a guard: %+v", p)
	}
	type mark struct{}
	reached := false
	h := bearer.WithClaims(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p, ok := bearer.PrincipalFrom(r.Context())
		if !ok || p.UserID != "ann" || r.Context().Value(mark{}) != "kept" {
			t.Errorf("%+v %v, %v", p, ok, r.Context().Value(mark{}))
		}
		reached = true
	}), bearer.Claims{Issuer: "https://as.example", Subject: "ann"})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.WithValue(t.Context(), mark{}, "kept"), "GET", mcp, nil))
	if !reached {
		t.Error("the handler was not reached")
	}
	nobody := bearer.VerifierFunc(func(ctx context.Context, _ string) (bearer.Claims, error) {
		c, err := tokens.Verify(ctx, "good")
		c.Subject = ""
		return c, err
	})
	g := newGuard(t, func(c *bearer.Config) {
		c.Verifier, c.Policy.Issuers = nobody, append(c.Policy.Issuers, "https://other.example")
	})
	g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if p, ok := bearer.PrincipalFrom(r.Context()); !ok || p.UserID != "" {
			t.Errorf("a token without a subject speaks for %q", p.UserID)
		}
	})).ServeHTTP(httptest.NewRecorder(), func() *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), "GET", mcp, nil)
		r.Header.Set("Authorization", "Bearer x")
		return r
	}())
}
