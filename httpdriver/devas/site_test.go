package devas_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

// introspecting is a server for the scope user whose tokens are verified by
// introspection.
func introspecting(resource string, as devas.Server) (devas.RSConfig, error) {
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{
		URL: as.Introspection, ClientID: devas.RSClientID, ClientSecret: wire.Secret(devas.RSClientSecret),
		CacheFor: -1,
	})
	if err != nil {
		return devas.RSConfig{}, err
	}
	return devas.RSConfig{Resource: resource, Issuers: []string{as.Issuer}, Verifier: v, Scopes: []string{"user"}}, nil
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
	rc, err := introspecting(s.resource, as)
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
