package devas_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states/wire"
)

// metadata is what a server says of itself.
func metadata(t *testing.T, as *devas.AS, issuer string) map[string]any {
	t.Helper()
	w := httptest.NewRecorder()
	as.ServeHTTP(w, httptest.NewRequest("GET", issuer+wellKnown, nil))
	return answer{w.Code, w.Header(), w.Body.String()}.json(t)
}

// What `stile serve as`, `serve idp` and `serve legacy` offer without further options.
func TestWhatIsOfferedByDefault(t *testing.T) {
	const issuer = "http://127.0.0.1:9000"
	documents := devas.DefaultAS(issuer)
	documents.Fetch = func(context.Context, string) (wire.Response, error) { return wire.Response{}, nil }
	legacy := devas.DefaultLegacy(issuer).AS
	legacy.Fetch = documents.Fetch
	for name, c := range map[string]struct {
		config                      devas.ASConfig
		cimd, iss, device, register bool
		grants                      []string
	}{
		"as":             {documents, true, true, true, true, []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "client_credentials"}},
		"as, no fetcher": {devas.DefaultAS(issuer), false, true, true, true, nil},
		"idp":            {devas.DefaultIdP(issuer), false, true, false, false, []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"}},
		"legacy":         {legacy, false, false, false, true, []string{"authorization_code", "refresh_token", "client_credentials"}},
	} {
		as, err := devas.NewAS(c.config)
		if err != nil {
			t.Fatal(err)
		}
		m := metadata(t, as, issuer)
		if got := m["client_id_metadata_document_supported"] == true; got != c.cimd {
			t.Errorf("%s: client documents %v", name, got)
		}
		if got := m["authorization_response_iss_parameter_supported"] == true; got != c.iss {
			t.Errorf("%s: iss %v", name, got)
		}
		if got := m["device_authorization_endpoint"] != nil; got != c.device {
			t.Errorf("%s: devices %v", name, got)
		}
		if got := m["registration_endpoint"] != nil; got != c.register {
			t.Errorf("%s: registration %v", name, got)
		}
		grants, _ := m["grant_types_supported"].([]any)
		for _, g := range c.grants {
			if !slices.Contains(grants, any(g)) {
				t.Errorf("%s: no grant %s in %v", name, g, grants)
			}
		}
	}
	if len(devas.DefaultLegacy(issuer).AS.Clients) != 0 {
		t.Error("a server of MCP 2025-03-26 knows clients")
	}
}

// A refresh token of the default server is good once, and access tokens for an hour.
func TestDefaultTokens(t *testing.T) {
	s := newSite(t, nil)
	client, _, refresh := s.login()
	again := func(token string) answer {
		return s.form("/token", "grant_type", "refresh_token", "refresh_token", token, "client_id", client)
	}
	m := again(refresh).json(t)
	next, _ := m["refresh_token"].(string)
	if next == "" || next == refresh || m["expires_in"] != 3600.0 {
		t.Fatalf("a refresh: %v", m)
	}
	if a := again(refresh); a.status != 400 {
		t.Errorf("the spent refresh token: %d", a.status)
	}
}

// Only users who asked for access while they are away get a refresh token of the
// identity provider, and its tokens last an hour.
func TestDefaultIdentity(t *testing.T) {
	ln := listen(t)
	config := devas.DefaultIdP("http://" + ln.Addr().String())
	config.AutoConsent, config.Clients[0].RedirectURIs = true, []string{back}
	idp, err := devas.NewAS(config)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln, idp)
	s := &site{t: t, issuer: config.Issuer}
	s.newBrowser()
	for scope, offline := range map[string]bool{"openid": false, "openid offline_access": true} {
		redirected := s.do("GET", s.authorizeURL(devas.EnterpriseClientID, "scope", scope, "resource", "-"), "").location()
		m := s.form("/token", "grant_type", "authorization_code", "code", redirected.Get("code"), "redirect_uri", back,
			"code_verifier", verifier, "client_id", devas.EnterpriseClientID, "client_secret", devas.EnterpriseIdPSecret).json(t)
		refresh, _ := m["refresh_token"].(string)
		if (refresh != "") != offline || m["expires_in"] != 3600.0 || redirected.Get("iss") != s.issuer {
			t.Errorf("%s: %v", scope, m)
		}
		if !offline {
			continue
		}
		next := s.form("/token", "grant_type", "refresh_token", "refresh_token", refresh,
			"client_id", devas.EnterpriseClientID, "client_secret", devas.EnterpriseIdPSecret).json(t)
		if next["refresh_token"] == nil || next["refresh_token"] == refresh {
			t.Errorf("the refresh token is not replaced: %v", next)
		}
	}
}

// A server with a mistake in its configuration is not made.
func TestMistakesOfConfiguration(t *testing.T) {
	for name, change := range map[string]func(*devas.ASConfig){
		"no address":       func(c *devas.ASConfig) { c.Issuer = "http://[::1" },
		"an issuer inside": func(c *devas.ASConfig) { c.Issuer = "http://192.0.2.1" },
		"an empty tenant":  func(c *devas.ASConfig) { c.Tenants = []string{""} },
		"a tenant's path":  func(c *devas.ASConfig) { c.Tenants = []string{"a/b"} },
		"a tenant's dots":  func(c *devas.ASConfig) { c.Tenants = []string{".."} },
		"a fault":          func(c *devas.ASConfig) { c.Faults = []string{"made-up"} },
	} {
		c := devas.DefaultAS("http://127.0.0.1:9000")
		change(&c)
		if as, err := devas.NewAS(c); err == nil || as != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	legacy := func(change func(*devas.LegacyConfig)) error {
		c := devas.DefaultLegacy("http://127.0.0.1:9000")
		change(&c)
		_, err := devas.NewLegacy(c)
		return err
	}
	for name, change := range map[string]func(*devas.LegacyConfig){
		"a fault":          func(c *devas.LegacyConfig) { c.Faults = []string{"made-up"} },
		"a tenant":         func(c *devas.LegacyConfig) { c.AS.Tenants = []string{""} },
		"a path":           func(c *devas.LegacyConfig) { c.Path = "/mcp#x" },
		"a resource fault": func(c *devas.LegacyConfig) { c.Faults = []string{"challenge-bare-bearer@x"} },
	} {
		if err := legacy(change); err == nil {
			t.Errorf("legacy, %s: it was made", name)
		}
	}
	for name, c := range map[string]devas.RSConfig{
		"no resource": {Issuers: []string{"http://127.0.0.1:9000"}},
		"a fault":     {Resource: "http://127.0.0.1:8001/mcp", Issuers: []string{"http://127.0.0.1:9000"}, Faults: []string{"made-up"}},
	} {
		c.Verifier = devas.LazyVerifier(nil)
		if _, err := devas.NewRS(c); err == nil {
			t.Errorf("resource server, %s: it was made", name)
		}
	}
}

// A legacy server takes its path, its default resource and the faults of both sides.
func TestLegacyAsConfigured(t *testing.T) {
	ln := listen(t)
	c := devas.DefaultLegacy("http://" + ln.Addr().String() + "/")
	c.Path, c.AS.AutoConsent, c.Faults = "/tools", true, []string{"challenge-bare-bearer", "token-cacheable"}
	c.MCP = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("tools")) })
	c.AS.Faults, c.AS.Scopes = []string{"authorize-extra"}, []string{"user", "admin"}
	l, err := devas.NewLegacy(c)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln, l)
	s := &site{t: t, issuer: strings.TrimSuffix(c.AS.Issuer, "/"), resource: strings.TrimSuffix(c.AS.Issuer, "/") + "/tools"}
	s.newBrowser()
	if got := s.call("get_time").header.Get("WWW-Authenticate"); got != "Bearer" {
		t.Errorf("challenge %q", got)
	}
	client := s.register("x")
	redirected := s.do("GET", s.authorizeURL(client, "resource", "-"), "").location()
	if redirected.Get("session_state") != "x" {
		t.Errorf("no fault of the authorization: %v", redirected)
	}
	token := s.form("/token", "grant_type", "authorization_code", "code", redirected.Get("code"), "redirect_uri", back, "client_id", client, "code_verifier", verifier)
	if token.header.Get("Cache-Control") == "no-store" {
		t.Error("no fault of the token")
	}
	access, _ := token.json(t)["access_token"].(string)
	if a := s.call("get_time", "Authorization", "Bearer "+access); a.status != 200 || a.body != "tools" {
		t.Errorf("a call: %d %s", a.status, a.body)
	}

	kept := devas.DefaultLegacy("http://127.0.0.1:9000")
	kept.AS.DefaultResource, kept.AS.Seed = "http://127.0.0.1:8001/mcp", []byte("seed")
	kept.AS.Clients = []peer.PreClient{{ID: "machine", Secret: "s", GrantTypes: []string{"client_credentials"}}}
	if l, err = devas.NewLegacy(kept); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "http://127.0.0.1:9000/token", strings.NewReader("grant_type=client_credentials&client_id=machine&client_secret=s"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	l.ServeHTTP(w, r)
	access, _ = answer{w.Code, w.Header(), w.Body.String()}.json(t)["access_token"].(string)
	if got := l.AS.Introspect(time.Now(), access); !slices.Equal(got.Audience, []string{"http://127.0.0.1:8001/mcp"}) {
		t.Errorf("a token without a resource is for %v", got.Audience)
	}
}

// Several providers may be trusted; the client that brings their assertions is one.
func TestTrustTwoProviders(t *testing.T) {
	c := devas.DefaultAS("http://127.0.0.1:9000")
	known := len(c.Clients)
	c.Trust("https://one.example", false)
	c.Trust("https://two.example", true)
	if len(c.Clients) != known+1 || len(c.Trusted) != 2 || c.Trusted[0].Workloads || !c.Trusted[1].Workloads {
		t.Errorf("%+v, trusted %+v", c.Clients, c.Trusted)
	}
}

// Two servers draw different secrets, unless they are given the same seed; what else they
// are given is used as well, and what they do well is not logged as a refusal.
func TestWhatIsConfigured(t *testing.T) {
	var log logged
	verified := 0
	secret := func(seed []byte) string {
		c := devas.DefaultAS("http://127.0.0.1:9000")
		c.Seed, c.Logger = seed, slog.New(slog.NewTextHandler(&log, nil))
		c.Now = func() time.Time { return time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC) }
		c.Render = func(peer.Page) []byte { return []byte("a page of the host") }
		c.Verify = func(string, []byte) ([]byte, []byte, bool) { verified++; return nil, nil, false }
		c.Trusted = []peer.Trusted{{Issuer: "https://platform.example", JWKS: []byte(`{"keys":[]}`), Workloads: true}}
		c.Clients = append(c.Clients, peer.PreClient{ID: "machine", Secret: "s", GrantTypes: []string{"client_credentials"}})
		as, err := devas.NewAS(c)
		if err != nil {
			t.Fatal(err)
		}
		form := func(kv ...string) answer {
			r := httptest.NewRequest("POST", "http://127.0.0.1:9000/token", strings.NewReader(pairs(kv...)))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			as.ServeHTTP(w, r)
			return answer{w.Code, w.Header(), w.Body.String()}
		}
		w := httptest.NewRecorder()
		as.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:9000/device", nil))
		if w.Body.String() != "a page of the host" {
			t.Errorf("the page: %s", w.Body)
		}
		log.take()
		access, _ := form("grant_type", "client_credentials", "client_id", "machine", "client_secret", "s", "resource", "http://127.0.0.1:8001/mcp").json(t)["access_token"].(string)
		if got := log.take(); got != "" || access == "" || strings.Contains(access, ".") {
			t.Errorf("a good request gets %q and logs %s", access, got)
		}
		form("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "resource", "http://127.0.0.1:8001/mcp",
			"assertion", claimsOf(`{"iss":"https://platform.example","sub":"job","aud":"http://127.0.0.1:9000","jti":"1","exp":99999999999}`))
		return access
	}
	seed := []byte("seed")
	if a, b := secret(nil), secret(nil); a == b {
		t.Error("two servers draw the same")
	}
	if a, b := secret(seed), secret(seed); a != b {
		t.Error("the seed is not used")
	}
	if verified != 4 {
		t.Errorf("the host's check of signatures was asked %d times", verified)
	}
}
