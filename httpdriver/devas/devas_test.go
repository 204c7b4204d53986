package devas_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states/wire"
)

const (
	back     = "http://127.0.0.1:4711/callback"
	verifier = "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz"
)

func challenge(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// site is an authorization server and a resource server on loopback, with a
// clock that can be moved, and a browser.
type site struct {
	t        *testing.T
	as       *devas.AS
	issuer   string
	resource string
	ahead    atomic.Int64 // how far the servers' clock is ahead
	browser  *http.Client
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := devas.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func serve(t *testing.T, ln net.Listener, h http.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- devas.Serve(ctx, ln, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
	})
}

func newSite(t *testing.T, change func(*devas.ASConfig, *devas.RSConfig)) *site {
	t.Helper()
	s := &site{t: t}
	now := func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }
	asLn, rsLn := listen(t), listen(t)
	s.issuer, s.resource = "http://"+asLn.Addr().String(), "http://"+rsLn.Addr().String()+"/mcp"
	ac := devas.DefaultAS(s.issuer)
	ac.Now, ac.Scopes, ac.AutoConsent = now, []string{"user", "admin"}, true
	as := devas.Server{Issuer: s.issuer, Introspection: s.issuer + "/introspect"}
	rc, err := devas.DefaultRS(s.resource, as)
	if err != nil {
		t.Fatal(err)
	}
	rc.Now, rc.Tools = now, []bearer.ToolScopes{{Tool: "whoami", Scopes: []string{"admin"}}}
	if change != nil {
		change(&ac, &rc)
	}
	if s.as, err = devas.NewAS(ac); err != nil {
		t.Fatal(err)
	}
	rs, err := devas.NewRS(rc)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, asLn, s.as)
	serve(t, rsLn, rs)
	s.newBrowser()
	return s
}

func (s *site) newBrowser() {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.browser = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("not JSON: %d %q", a.status, a.body)
	}
	return m
}

func (a answer) location() url.Values {
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		return nil
	}
	return u.Query()
}

func (s *site) do(method, address, body string, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := s.browser.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

func pairs(kv ...string) string {
	var out []string
	for i := 0; i < len(kv); i += 2 {
		out = append(out, url.QueryEscape(kv[i])+"="+url.QueryEscape(kv[i+1]))
	}
	return strings.Join(out, "&")
}

func (s *site) form(path string, kv ...string) answer {
	s.t.Helper()
	return s.do("POST", s.issuer+path, pairs(kv...), "Content-Type", "application/x-www-form-urlencoded")
}

func (s *site) register(name string) string {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{
		"client_name": name, "redirect_uris": []string{back}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.do("POST", s.issuer+"/register", string(body), "Content-Type", "application/json")
	id, _ := a.json(s.t)["client_id"].(string)
	if a.status != 201 || id == "" {
		s.t.Fatalf("registration: %d %s", a.status, a.body)
	}
	return id
}

func (s *site) authorizeURL(client string, kv ...string) string {
	q := []string{
		"response_type", "code", "client_id", client, "redirect_uri", back, "state", "st<&>", "scope", "user",
		"code_challenge", challenge(verifier), "code_challenge_method", "S256", "resource", s.resource,
	}
	for i := 0; i < len(kv); i += 2 {
		for j := 0; j < len(q); j += 2 {
			if q[j] == kv[i] {
				q = append(q[:j:j], q[j+2:]...)
				break
			}
		}
		if kv[i+1] != "-" {
			q = append(q, kv[i], kv[i+1])
		}
	}
	return s.issuer + "/authorize?" + pairs(q...)
}

func (s *site) code(client string, kv ...string) string {
	s.t.Helper()
	a := s.do("GET", s.authorizeURL(client, kv...), "")
	code := a.location().Get("code")
	if code == "" {
		s.t.Fatalf("no code: %d %v %s", a.status, a.location(), a.body)
	}
	return code
}

func (s *site) exchange(client, code string) answer {
	return s.form("/token", "grant_type", "authorization_code", "code", code, "redirect_uri", back,
		"client_id", client, "code_verifier", verifier, "resource", s.resource)
}

func (s *site) login(kv ...string) (client, access, refresh string) {
	s.t.Helper()
	client = s.register("test")
	m := s.exchange(client, s.code(client, kv...)).json(s.t)
	access, _ = m["access_token"].(string)
	refresh, _ = m["refresh_token"].(string)
	if access == "" || refresh == "" {
		s.t.Fatalf("no tokens: %v", m)
	}
	return client, access, refresh
}

func (s *site) call(tool string, header ...string) answer {
	return s.do("POST", s.resource, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{}}}`,
		append(header, "Content-Type", "application/json", "Accept", "application/json, text/event-stream")...)
}

// withToken is a transport that a go-sdk client uses.
type withToken string

func (t withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(t))
	return http.DefaultTransport.RoundTrip(r)
}

func TestToolsSeeWhoCalls(t *testing.T) {
	for _, jwt := range []bool{false, true} {
		s := newSite(t, func(a *devas.ASConfig, r *devas.RSConfig) {
			if !jwt {
				return
			}
			a.JWT = true
			keys, err := bearer.NewKeySet(bearer.KeySetConfig{URL: a.Issuer + "/jwks.json"})
			if err != nil {
				t.Fatal(err)
			}
			if r.Verifier, err = bearer.NewJWT(bearer.JWTConfig{Keys: keys}); err != nil {
				t.Fatal(err)
			}
		})
		_, access, _ := s.login("scope", "user admin")
		ctx := context.Background()
		client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
		session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: s.resource, HTTPClient: &http.Client{Transport: withToken(access)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "whoami"})
		if err != nil {
			t.Fatal(err)
		}
		who, _ := json.Marshal(r.StructuredContent)
		if !strings.Contains(string(who), `"subject":"demo_user"`) || !strings.Contains(string(who), `"scopes":["user","admin"]`) {
			t.Errorf("jwt %v: the tool saw %s", jwt, who)
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestScopesPerTool(t *testing.T) {
	s := newSite(t, nil)
	_, access, _ := s.login()
	a := s.call("whoami", "Authorization", "Bearer "+access)
	if w := a.header.Get("WWW-Authenticate"); a.status != 403 || !strings.Contains(w, `error="insufficient_scope"`) || !strings.Contains(w, `scope="user admin"`) || !strings.Contains(w, "resource_metadata=") {
		t.Fatalf("%d %s", a.status, w)
	}
	if a := s.call("get_time", "Authorization", "Bearer "+access); a.status == 401 || a.status == 403 {
		t.Fatalf("get_time: %d %s", a.status, a.body)
	}
}

var hidden = regexp.MustCompile(`name="(ticket|csrf)" value="([^"]*)"`)

func fields(body string) []string {
	var out []string
	for _, m := range hidden.FindAllStringSubmatch(body, -1) {
		out = append(out, m[1], html.UnescapeString(m[2]))
	}
	return out
}

func TestAPersonLogsIn(t *testing.T) {
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) { a.AutoConsent = false })
	client := s.register(`<script>alert("x")</script> ` + "\u202eevil")
	a := s.do("GET", s.authorizeURL(client), "")
	if a.status != 303 {
		t.Fatalf("authorize: %d", a.status)
	}
	login := s.do("GET", a.header.Get("Location"), "")
	for name, want := range map[string]string{
		"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
	} {
		if got := login.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if csp := login.header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("CSP: %s", csp)
	}
	bad := s.form("/login", append(fields(login.body), "username", "demo_user", "password", "wrong")...)
	if bad.status != 401 || len(fields(bad.body)) != 4 {
		t.Fatalf("wrong password: %d", bad.status)
	}
	good := s.form("/login", append(fields(bad.body), "username", "demo_user", "password", "demo_password")...)
	if good.status != 303 {
		t.Fatalf("login: %d %s", good.status, good.body)
	}
	consent := s.do("GET", good.header.Get("Location"), "")
	if consent.status != 200 || strings.Contains(consent.body, "<script>") || strings.Contains(consent.body, "\u202e") {
		t.Fatalf("consent: %d %s", consent.status, consent.body)
	}
	for _, want := range []string{"127.0.0.1:4711", "&lt;script&gt;", "demo_user", "nobody has checked"} {
		if !strings.Contains(consent.body, want) {
			t.Errorf("the consent page does not show %q", want)
		}
	}
	done := s.form("/consent", append(fields(consent.body), "decision", "allow")...)
	if done.status != 303 || done.location().Get("state") != "st<&>" || done.location().Get("iss") != s.issuer {
		t.Fatalf("consent: %d %v", done.status, done.location())
	}
	if r := s.exchange(client, done.location().Get("code")); r.status != 200 {
		t.Fatalf("exchange: %d %s", r.status, r.body)
	}
	if again := s.form("/consent", append(fields(consent.body), "decision", "allow")...); again.status != 400 {
		t.Errorf("the consent was taken twice: %d", again.status)
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	config := devas.DefaultAS("http://localhost:9000")
	config.StateFile, config.AutoConsent = file, true
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) { a.StateFile = file })
	client, access, refresh := s.login()
	config.Issuer = s.issuer
	as, err := devas.NewAS(config)
	if err != nil {
		t.Fatal(err)
	}
	if !as.Introspect(time.Now(), access).Active {
		t.Error("the access token was lost")
	}
	ln := listen(t)
	serve(t, ln, as)
	body := pairs("grant_type", "refresh_token", "refresh_token", refresh, "client_id", client)
	a := s.do("POST", "http://"+ln.Addr().String()+"/token", body, "Content-Type", "application/x-www-form-urlencoded")
	if a.status != 200 {
		t.Fatalf("refresh after a restart: %d %s", a.status, a.body)
	}
}

func TestTenantsAndDiscovery(t *testing.T) {
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) { a.Tenants = []string{"blue"} })
	for _, path := range []string{
		"/.well-known/oauth-authorization-server/blue", "/.well-known/openid-configuration/blue",
		"/blue/.well-known/openid-configuration", "/blue/.well-known/oauth-authorization-server",
	} {
		if m := s.do("GET", s.issuer+path, "").json(t); m["issuer"] != s.issuer+"/blue" || m["token_endpoint"] != s.issuer+"/blue/token" {
			t.Errorf("%s: %v", path, m)
		}
	}
	found, err := devas.Discover(context.Background(), http.DefaultClient, s.issuer+"/blue/")
	if err != nil || found.Issuer != s.issuer+"/blue" {
		t.Errorf("%+v %v", found, err)
	}
	if a := s.do("GET", s.issuer+"/.well-known/oauth-authorization-server/green", ""); a.status != 404 {
		t.Errorf("a tenant that is not there: %d", a.status)
	}
}

func TestClientDocument(t *testing.T) {
	const id = "https://client.example/app.json"
	body := `{"client_id":"` + id + `","client_name":"doc","redirect_uris":["http://127.0.0.1/callback"],"grant_types":["authorization_code","refresh_token"]}`
	var fetched atomic.Int32
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) {
		a.CIMD = true
		a.Fetch = func(_ context.Context, url string) (wire.Response, error) {
			fetched.Add(1)
			return wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body)}, nil
		}
	})
	if a := s.exchange(id, s.code(id)); a.status != 200 || !strings.Contains(a.body, "refresh_token") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.code(id)
	if n := fetched.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	s.ahead.Store(int64(2 * time.Hour))
	body = strings.Replace(body, "127.0.0.1", "127.0.0.2", 1)
	if a := s.do("GET", s.authorizeURL(id), ""); a.status != 400 {
		t.Errorf("a document that lost its redirect URI: %d", a.status)
	}
}

func TestLegacy(t *testing.T) {
	for _, none := range []bool{false, true} {
		ln := listen(t)
		c := devas.DefaultLegacy("http://" + ln.Addr().String())
		c.AS.AutoConsent, c.AS.NoMetadata = true, none
		l, err := devas.NewLegacy(c)
		if err != nil {
			t.Fatal(err)
		}
		serve(t, ln, l)
		s := &site{t: t, issuer: c.AS.Issuer, resource: c.AS.Issuer + "/mcp"}
		s.newBrowser()
		if a := s.call("get_time"); a.status != 401 || strings.Contains(a.header.Get("WWW-Authenticate"), "resource_metadata") {
			t.Errorf("challenge: %d %s", a.status, a.header.Get("WWW-Authenticate"))
		}
		want := 200
		if none {
			want = 404
		}
		if a := s.do("GET", s.issuer+"/.well-known/oauth-authorization-server", ""); a.status != want {
			t.Errorf("metadata: %d", a.status)
		}
		if a := s.do("GET", s.issuer+"/.well-known/oauth-protected-resource", ""); a.status != 404 {
			t.Errorf("resource metadata: %d", a.status)
		}
		_, access, _ := s.login("resource", "-")
		if a := s.call("get_time", "Authorization", "Bearer "+access); a.status == 401 || a.status == 403 {
			t.Errorf("a token for the default resource: %d %s", a.status, a.body)
		}
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	s := newSite(t, func(a *devas.ASConfig, r *devas.RSConfig) {
		a.Faults = []string{"token-endpoint-html@1"}
		r.Faults = []string{"challenge-bare-bearer"}
	})
	client := s.register("test")
	if a := s.exchange(client, s.code(client)); !strings.Contains(a.body, "<!doctype") {
		t.Errorf("no web page: %s", a.body)
	}
	a := s.exchange(client, s.code(client))
	access, _ := a.json(t)["access_token"].(string)
	if a := s.call("get_time"); a.status != 401 || a.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("challenge: %d %q", a.status, a.header.Get("WWW-Authenticate"))
	}
	if a := s.call("get_time", "Authorization", "Bearer "+access); a.status == 401 || a.status == 403 {
		t.Errorf("a good token: %d %s", a.status, a.body)
	}
}
