package bearer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/states/rules"
)

const mcp = "https://mcp.example/mcp"

// tokens is a Verifier that knows a few tokens.
var tokens = bearer.VerifierFunc(func(_ context.Context, token string) (bearer.Claims, error) {
	c := bearer.Claims{
		Issuer: "https://as.example", Subject: "annika", ClientID: "client", Audience: []string{mcp},
		Scopes: []string{"user"}, Expires: noon.Add(time.Hour), Type: "Bearer",
	}
	switch token {
	case "good":
	case "admin":
		c.Scopes = []string{"user", "admin"}
	case "expired":
		c.Expires = noon
	case "foreign":
		c.Audience = []string{"https://other.example/mcp"}
	case "sibling":
		c.Audience = []string{mcp + "2"}
	case "elsewhere":
		c.Issuer = "https://elsewhere.example"
	case "scopeless":
		c.Scopes = nil
	case "down":
		return bearer.Claims{}, bearer.ErrUnavailable
	case "odd":
		return bearer.Claims{}, errors.New("something else")
	default:
		return bearer.Claims{}, bearer.ErrInvalidToken
	}
	return c, nil
})

// open is the handler that must not be reached by the wrong people: it says
// who called, and reads the whole body.
var open = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	p, ok := bearer.PrincipalFrom(r.Context())
	if !ok || p.UserID != p.Subject {
		http.Error(w, "no principal", 500)
		return
	}
	body, _ := io.ReadAll(r.Body)
	_, _ = io.WriteString(w, p.Subject+" "+string(body))
})

func newGuard(t testing.TB, change func(*bearer.Config)) *bearer.Guard {
	t.Helper()
	c := bearer.Config{
		Policy:   bearer.Policy{Resource: mcp, Issuers: []string{"https://as.example"}, Scopes: []string{"user"}},
		Verifier: tokens, Now: func() time.Time { return noon },
		Tools: []bearer.ToolScopes{{Tool: "purge", Scopes: []string{"admin"}}, {Tool: "wipe", Scopes: []string{"root"}}},
	}
	if change != nil {
		change(&c)
	}
	g, err := bearer.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Rules: challenge-400-malformed, rs-validate-before-work,
// rs-unknown-token-401, rs-multiple-methods, rs-introspect-down.
func TestHostileRequests(t *testing.T) {
	var log bytes.Buffer
	g := newGuard(t, func(c *bearer.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	mux := http.NewServeMux()
	g.Mount(mux, open)
	const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	purge := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"purge"}}`
	cases := []struct {
		name, method, target, body string
		header                     []string
		status                     int
		code                       string // error of the challenge
		scope                      string
	}{
		{"no token", "POST", "/mcp", ping, nil, 401, "", "user"},
		{"no token, GET", "GET", "/mcp", "", nil, 401, "", "user"},
		{"no token, DELETE", "DELETE", "/mcp", "", nil, 401, "", "user"},
		{"no token, OPTIONS", "OPTIONS", "/mcp", "", nil, 401, "", "user"},
		{"no token, a method of one's own", "BREW", "/mcp", "", nil, 401, "", "user"},
		{"no token, below the endpoint", "GET", "/mcp/x", "", nil, 401, "", "user"},
		{"token in the query", "POST", "/mcp?access_token=good", ping, nil, 401, "", "user"},
		{"token in a form", "POST", "/mcp", "access_token=good", []string{"Content-Type", "application/x-www-form-urlencoded"}, 401, "", "user"},
		{"token in a cookie", "POST", "/mcp", ping, []string{"Cookie", "access_token=good"}, 401, "", "user"},
		{"token in another field", "POST", "/mcp", ping, []string{"X-Authorization", "Bearer good"}, 401, "", "user"},
		{"token for a proxy", "POST", "/mcp", ping, []string{"Proxy-Authorization", "Bearer good"}, 401, "", "user"},
		{"identity in a field", "POST", "/mcp", ping, []string{"X-Forwarded-User", "ann"}, 401, "", "user"},
		{"a session id for a token", "POST", "/mcp", ping, []string{"Mcp-Session-Id", "abc"}, 401, "", "user"},
		{"Basic", "POST", "/mcp", ping, []string{"Authorization", "Basic Z29vZDo="}, 401, "", "user"},
		{"two fields", "POST", "/mcp", ping, []string{"Authorization", "Bearer good", "Authorization", "Bearer good"}, 400, "invalid_request", ""},
		{"a bad and a good field", "POST", "/mcp", ping, []string{"Authorization", "Bearer bad", "Authorization", "Bearer good"}, 400, "invalid_request", ""},
		{"scheme alone", "POST", "/mcp", ping, []string{"Authorization", "Bearer"}, 400, "invalid_request", ""},
		{"a list of tokens", "POST", "/mcp", ping, []string{"Authorization", "Bearer bad, Bearer good"}, 400, "invalid_request", ""},
		{"made up", "POST", "/mcp", ping, []string{"Authorization", "Bearer AAAA"}, 401, "invalid_token", "user"},
		{"good in capitals", "POST", "/mcp", ping, []string{"Authorization", "Bearer GOOD"}, 401, "invalid_token", "user"},
		{"good and a padding", "POST", "/mcp", ping, []string{"Authorization", "Bearer good="}, 401, "invalid_token", "user"},
		{"quoted", "POST", "/mcp", ping, []string{"Authorization", `Bearer "good"`}, 401, "invalid_token", "user"},
		{"null", "POST", "/mcp", ping, []string{"Authorization", "Bearer null"}, 401, "invalid_token", "user"},
		{"undefined", "POST", "/mcp", ping, []string{"Authorization", "Bearer undefined"}, 401, "invalid_token", "user"},
		{"endless", "POST", "/mcp", ping, []string{"Authorization", "Bearer " + strings.Repeat("a", 17<<10)}, 401, "invalid_token", "user"},
		{"expired", "POST", "/mcp", ping, []string{"Authorization", "Bearer expired"}, 401, "invalid_token", "user"},
		{"for another resource", "POST", "/mcp", ping, []string{"Authorization", "Bearer foreign"}, 401, "invalid_token", "user"},
		{"for a sibling", "POST", "/mcp", ping, []string{"Authorization", "Bearer sibling"}, 401, "invalid_token", "user"},
		{"of another issuer", "POST", "/mcp", ping, []string{"Authorization", "Bearer elsewhere"}, 401, "invalid_token", "user"},
		{"without scopes", "POST", "/mcp", ping, []string{"Authorization", "Bearer scopeless"}, 403, "insufficient_scope", "user"},
		{"nobody can tell", "POST", "/mcp", ping, []string{"Authorization", "Bearer down"}, 503, "", ""},
		{"something unknown went wrong", "POST", "/mcp", ping, []string{"Authorization", "Bearer odd"}, 503, "", ""},
		{"tool beyond the scopes", "POST", "/mcp", purge, []string{"Authorization", "Bearer good"}, 403, "insufficient_scope", "user admin"},
		{"two tools beyond the scopes", "POST", "/mcp", `[` + purge + `,` + strings.Replace(purge, "purge", "wipe", 1) + `]`, []string{"Authorization", "Bearer admin"}, 403, "insufficient_scope", "user admin root"},
		{"tool in a batch", "POST", "/mcp", `[` + ping + `,` + purge + `]`, []string{"Authorization", "Bearer good"}, 403, "insufficient_scope", "user admin"},
		{"tool by escapes", "POST", "/mcp", strings.Replace(purge, "purge", `p\u0075rge`, 1), []string{"Authorization", "Bearer good"}, 403, "insufficient_scope", "user admin"},
		{"tool under another content type", "POST", "/mcp", purge, []string{"Authorization", "Bearer good", "Content-Type", "text/plain"}, 403, "insufficient_scope", "user admin"},
		{"tool under the content type of a form", "POST", "/mcp", purge, []string{"Authorization", "Bearer good", "Content-Type", "application/x-www-form-urlencoded"}, 403, "insufficient_scope", "user admin"},
		{"a second token in a form", "POST", "/mcp", "a=b&access_token=good", []string{"Authorization", "Bearer good", "Content-Type", "application/x-www-form-urlencoded"}, 400, "invalid_request", ""},
		{"a second token in a form, spelt otherwise", "PUT", "/mcp", "%61ccess_token=x&%zz", []string{"Authorization", "Bearer good", "Content-Type", "Application/X-WWW-Form-URLEncoded; charset"}, 400, "invalid_request", ""},
		{"a bad token and a good one in a form", "POST", "/mcp", "access_token=good", []string{"Authorization", "Bearer bad", "Content-Type", "application/x-www-form-urlencoded"}, 401, "invalid_token", "user"},
		{"a form of a megabyte and more", "PUT", "/mcp", strings.Repeat("x", 1<<20+1), []string{"Authorization", "Bearer good", "Content-Type", "application/x-www-form-urlencoded"}, 413, "", ""},
		{"tool behind a duplicate", "POST", "/mcp", strings.Replace(purge, `"method"`, `"method":"ping","method"`, 1), []string{"Authorization", "Bearer good"}, 400, "invalid_request", ""},
		{"tool behind folded case", "POST", "/mcp", strings.Replace(purge, `"method":`, `"method":"ping","Method":`, 1), []string{"Authorization", "Bearer good"}, 400, "invalid_request", ""},
		{"tool behind a folded name", "POST", "/mcp", strings.Replace(purge, `"name":`, `"name":"get_time","NAME":`, 1), []string{"Authorization", "Bearer good"}, 400, "invalid_request", ""},
		{"two messages", "POST", "/mcp", ping + purge, []string{"Authorization", "Bearer good"}, 400, "invalid_request", ""},
		{"body no JSON", "POST", "/mcp", "<xml/>", []string{"Authorization", "Bearer good"}, 400, "invalid_request", ""},
		{"body of a megabyte and more", "POST", "/mcp", `"` + strings.Repeat("x", 1<<20) + `"`, []string{"Authorization", "Bearer good"}, 413, "", ""},
		{"a byte order mark", "POST", "/mcp", "\ufeff" + purge, []string{"Authorization", "Bearer good"}, 400, "invalid_request", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Add(c.header[i], c.header[i+1])
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			if strings.Contains(w.Body.String(), "annika") {
				t.Error("the handler was reached")
			}
			if w.Header().Get("Cache-Control") != "no-store" {
				t.Error("the refusal can be cached")
			}
			ch := w.Header().Get("WWW-Authenticate")
			if c.status == 503 || c.status == 413 {
				if ch != "" {
					t.Errorf("a challenge: %s", ch)
				}
				return
			}
			if !strings.Contains(ch, `resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`) {
				t.Errorf("challenge: %s", ch)
			}
			if c.code == "" && strings.Contains(ch, "error") || c.code != "" && !strings.Contains(ch, `error="`+c.code+`"`) {
				t.Errorf("challenge: %s", ch)
			}
			if c.scope == "" && strings.Contains(ch, "scope=") || c.scope != "" && !strings.Contains(ch, `scope="`+c.scope+`"`) {
				t.Errorf("challenge: %s", ch)
			}
			var body map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body["error"] == "" {
				t.Errorf("body: %s", w.Body)
			}
		})
	}
	for _, secret := range []string{"good", "foreign", "expired", "sibling"} {
		if strings.Contains(log.String(), "Bearer "+secret) || strings.Contains(log.String(), "="+secret) {
			t.Errorf("the log holds a token")
		}
	}
	for _, ok := range []struct{ target, token, body string }{
		{"/mcp", "good", ping},
		{"/mcp?access_token=bad", "good", ping}, // what is in the query is not looked at
		{"/mcp", "admin", purge},
		{"/mcp/x", "good", ping},
		{"/mcp", "good", ""},
	} {
		r := httptest.NewRequest("POST", ok.target, strings.NewReader(ok.body))
		r.Header.Set("Authorization", "bearer "+ok.token)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != 200 || w.Body.String() != "annika "+ok.body {
			t.Errorf("%s with %s: %d %s", ok.target, ok.token, w.Code, w.Body)
		}
	}
}

// TestForms: a form without a token reaches the handler whole, and only there
// is it read.
func TestForms(t *testing.T) {
	g := newGuard(t, func(c *bearer.Config) { c.Tools = nil })
	for _, form := range []string{"", "a=b", "access_token=", "access_token", "a=access_token", "a=%zz&b=c"} {
		r := httptest.NewRequest("POST", "/mcp", strings.NewReader(form))
		r.Header.Set("Authorization", "Bearer good")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		g.Handler(open).ServeHTTP(w, r)
		if w.Code != 200 || w.Body.String() != "annika "+form {
			t.Errorf("%q: %d %s", form, w.Code, w.Body)
		}
	}
}

func TestScopesPerHandler(t *testing.T) {
	g := newGuard(t, nil)
	h := g.Require(open, "admin")
	for token, want := range map[string]int{"good": 403, "admin": 200, "bad": 401} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d", token, w.Code)
		}
		if want != 200 && !strings.Contains(w.Header().Get("WWW-Authenticate"), `scope="user admin"`) {
			t.Errorf("%s: %s", token, w.Header().Get("WWW-Authenticate"))
		}
	}
}

func TestRefusalsCiteRules(t *testing.T) {
	var log bytes.Buffer
	g := newGuard(t, func(c *bearer.Config) { c.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	h := g.Handler(open)
	for _, field := range []string{"", "Bearer", "Bearer x", "Bearer down", `Bearer "`, "Bearer good"} {
		r := httptest.NewRequest("POST", "/mcp", strings.NewReader("{"))
		if field != "" {
			r.Header.Set("Authorization", field)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	seen := 0
	for line := range strings.Lines(log.String()) {
		var m struct{ Rule string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m.Rule == "" {
			continue
		}
		seen++
		if _, ok := rules.Lookup(rules.ID(m.Rule)); !ok {
			t.Errorf("%s is no rule", m.Rule)
		}
	}
	if seen != 6 {
		t.Errorf("%d refusals cite a rule", seen)
	}
}

func TestMetadata(t *testing.T) {
	g := newGuard(t, func(c *bearer.Config) { c.Metadata.Name = "test" })
	mux := http.NewServeMux()
	g.Mount(mux, open)
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 204, "POST": 405} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, "/.well-known/oauth-protected-resource/mcp", nil))
		if w.Code != want || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
		if method == "GET" {
			want := `{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"],"scopes_supported":["user"],"bearer_methods_supported":["header"],"resource_name":"test"}`
			if w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s", w.Body)
			}
		}
	}
}

func TestConfigurationsThatCannotWork(t *testing.T) {
	good := bearer.Config{Policy: bearer.Policy{Resource: mcp, Issuers: []string{"https://as.example"}}, Verifier: tokens}
	for name, change := range map[string]func(*bearer.Config){
		"no resource":       func(c *bearer.Config) { c.Policy.Resource = "" },
		"relative resource": func(c *bearer.Config) { c.Policy.Resource = "/mcp" },
		"fragment":          func(c *bearer.Config) { c.Policy.Resource += "#x" },
		"no issuer":         func(c *bearer.Config) { c.Policy.Issuers = nil },
		"no verifier":       func(c *bearer.Config) { c.Verifier = nil },
		"too much skew":     func(c *bearer.Config) { c.Policy.Skew = time.Hour },
	} {
		c := good
		change(&c)
		if _, err := bearer.New(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := bearer.New(good); err != nil {
		t.Error(err)
	}
}

// A path is mounted as it is written: an escape stands for what it hides, and an
// escaped slash for no slash.
func TestMountEscaped(t *testing.T) {
	for path, elsewhere := range map[string]string{
		"/my%20server/mcp": "/my%2520server/mcp", "/a%2Fb/mcp": "/a/b/mcp", "/a/b": "/a%2Fb", "/caf%C3%A9/mcp": "/caf%C3%A8/mcp",
	} {
		g, err := bearer.New(bearer.Config{
			Policy: bearer.Policy{Resource: "https://rs.example" + path, Issuers: []string{"https://as.example"}},
			Verifier: bearer.VerifierFunc(func(context.Context, string) (bearer.Claims, error) {
				return bearer.Claims{}, bearer.ErrInvalidToken
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		g.Mount(mux, open)
		for target, want := range map[string]int{
			path: 401, path + "/below": 401, elsewhere: 404,
			"/.well-known/oauth-protected-resource" + path: 200, "/.well-known/oauth-protected-resource" + elsewhere: 404,
		} {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://rs.example"+target, nil))
			if w.Code != want {
				t.Errorf("%s mounted, %s asked for: %d instead of %d", path, target, w.Code, want)
			}
		}
	}
}
