package devas_test

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
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

// withToken is a transport that a go-sdk client uses.
type withToken string

func (t withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(t))
	return http.DefaultTransport.RoundTrip(r)
}

func TestToolsSeeWhoCalls(t *testing.T) {
	for _, c := range []struct {
		jwt      bool
		revision string
	}{{false, "2025-11-25"}, {true, "2026-07-28"}, {false, "2026-07-28"}, {true, ""}} {
		jwt := c.jwt
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
		session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: s.resource, HTTPClient: &http.Client{Transport: withToken(access)}},
			&mcp.ClientSessionOptions{ProtocolVersion: c.revision})
		if err != nil {
			t.Fatal(err)
		}
		if got := session.InitializeResult().ProtocolVersion; c.revision != "" && got != c.revision {
			t.Errorf("revision %s was asked for, %s is spoken", c.revision, got)
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

// Rules: as-consent-page.
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
