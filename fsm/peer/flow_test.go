package peer

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states/wire"
)

var noon = time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)

const (
	issuer   = "https://as.example"
	resource = "https://mcp.example/mcp"
	back     = "http://127.0.0.1:4711/callback"
	verifier = "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz"
)

func s256(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// site is a world of one server of each kind and a client's view of it.
type site struct {
	t    *testing.T
	w    *World
	at   time.Time
	auth wire.Fields // sent to the token endpoint
	page Page        // shown last, where a test renders
}

func newSite(t *testing.T, change func(*ASConfig, *RSConfig)) *site {
	t.Helper()
	ac := ASConfig{
		Issuer: issuer, Resources: []string{resource}, Scopes: []string{"user", "admin"}, Seed: []byte("seed"),
		DCR: true, CIMD: true, Iss: true, RefreshRotation: true, AutoConsent: true, ClientCredentials: true,
		Clients: []PreClient{{ID: "rs", Secret: "rs-secret", Introspect: true}},
	}
	rc := RSConfig{
		Resource: resource, AuthorizationServers: []string{issuer}, Scopes: []string{"user"},
		Rules: []ScopeRule{{Tool: "purge", Scopes: []string{"admin"}}},
	}
	if change != nil {
		change(&ac, &rc)
	}
	as, err := NewAS(ac)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := NewRS(rc)
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, w: &World{AS: []*AS{as}, RS: []*RS{rs}}, at: noon}
}

func (h *site) do(req wire.Request) wire.Response {
	h.t.Helper()
	resp, ok := h.w.Answer(h.at, req)
	if !ok {
		h.t.Fatalf("no server has %s", req.URL)
	}
	return resp
}

func (h *site) get(url string) wire.Response { return h.do(wire.Request{Method: "GET", URL: url}) }

func (h *site) post(url string, form ...string) wire.Response {
	req := wire.Request{Method: "POST", URL: url, Header: slices.Clone(h.auth)}
	req.Header = append(req.Header, wire.Field{Name: "Content-Type", Value: "application/x-www-form-urlencoded"})
	for i := 0; i < len(form); i += 2 {
		req.Form = append(req.Form, wire.Field{Name: form[i], Value: form[i+1]})
	}
	return h.do(req)
}

func (h *site) object(r wire.Response) map[string]any {
	h.t.Helper()
	var m map[string]any
	if err := json.Unmarshal(r.Body, &m); err != nil {
		h.t.Fatalf("not an object: %q: %v", r.Body, err)
	}
	return m
}

func (h *site) register(body string) map[string]any {
	h.t.Helper()
	r := h.do(wire.Request{
		Method: "POST", URL: issuer + "/register",
		Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body),
	})
	if r.Status != 201 {
		h.t.Fatalf("registration: %d %s", r.Status, r.Body)
	}
	return h.object(r)
}

func (h *site) public() string {
	h.t.Helper()
	m := h.register(`{"client_name":"test","redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"]}`)
	return m["client_id"].(string)
}

func authorizeURL(client string, more ...string) string {
	q := wire.Fields{
		{Name: "response_type", Value: "code"}, {Name: "client_id", Value: client}, {Name: "redirect_uri", Value: back},
		{Name: "state", Value: "st"}, {Name: "code_challenge", Value: s256(verifier)}, {Name: "code_challenge_method", Value: "S256"},
		{Name: "resource", Value: resource}, {Name: "scope", Value: "user"},
	}
	for i := 0; i < len(more); i += 2 {
		if n := slices.IndexFunc(q, func(f wire.Field) bool { return f.Name == more[i] }); n >= 0 {
			q = slices.Delete(q, n, n+1)
		}
		if more[i+1] != "-" {
			q = append(q, wire.Field{Name: more[i], Value: more[i+1]})
		}
	}
	return issuer + "/authorize?" + wire.EncodeForm(q)
}

func location(r wire.Response) url.Values {
	l := r.Header.Header("Location")
	if len(l) != 1 {
		return nil
	}
	u, err := url.Parse(l[0])
	if err != nil {
		return nil
	}
	return u.Query()
}

func (h *site) code(client string, more ...string) string {
	h.t.Helper()
	r := h.get(authorizeURL(client, more...))
	code := location(r).Get("code")
	if code == "" {
		h.t.Fatalf("no code: %d %v %s", r.Status, location(r), r.Body)
	}
	return code
}

func (h *site) exchange(client, code string) wire.Response {
	return h.post(issuer+"/token", "grant_type", "authorization_code", "code", code, "redirect_uri", back,
		"client_id", client, "code_verifier", verifier, "resource", resource)
}

func (h *site) refresh(client, token string) wire.Response {
	return h.post(issuer+"/token", "grant_type", "refresh_token", "refresh_token", token, "client_id", client, "resource", resource)
}

func (h *site) tokens(r wire.Response) (access, refresh string) {
	h.t.Helper()
	if r.Status != 200 {
		h.t.Fatalf("token endpoint: %d %s", r.Status, r.Body)
	}
	m := h.object(r)
	access, _ = m["access_token"].(string)
	refresh, _ = m["refresh_token"].(string)
	return access, refresh
}

func (h *site) call(token, tool string) wire.Response {
	req := wire.Request{Method: "POST", URL: resource, Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `"}}`)}
	if token != "" {
		req.Header = wire.Fields{{Name: "Authorization", Value: "Bearer " + token}}
	}
	return h.do(req)
}

func TestWholeLife(t *testing.T) {
	h := newSite(t, nil)
	r := h.call("", "get_time")
	want := `Bearer scope="user", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`
	if got := r.Header.Header("WWW-Authenticate"); r.Status != 401 || len(got) != 1 || got[0] != want {
		t.Fatalf("challenge: %d %q", r.Status, got)
	}
	prm := h.object(h.get("https://mcp.example/.well-known/oauth-protected-resource/mcp"))
	if prm["resource"] != resource {
		t.Fatalf("resource metadata: %v", prm)
	}
	asm := h.object(h.get(issuer + "/.well-known/oauth-authorization-server"))
	if asm["issuer"] != issuer || asm["authorization_response_iss_parameter_supported"] != true {
		t.Fatalf("metadata: %v", asm)
	}
	client := h.public()
	answer := location(h.get(authorizeURL(client)))
	if answer.Get("state") != "st" || answer.Get("iss") != issuer {
		t.Fatalf("authorization response: %v", answer)
	}
	access, refresh := h.tokens(h.exchange(client, answer.Get("code")))
	if r := h.call(access, "get_time"); r.Status != 200 || !strings.Contains(string(r.Body), `"demo_user"`) {
		t.Fatalf("call: %d %s", r.Status, r.Body)
	}
	r = h.call(access, "purge")
	if got := r.Header.Header("WWW-Authenticate"); r.Status != 403 || !strings.HasPrefix(got[0], `Bearer error="insufficient_scope", scope="user admin"`) {
		t.Fatalf("step-up: %d %q", r.Status, got)
	}
	h.at = h.at.Add(time.Hour)
	if r := h.call(access, "get_time"); r.Status != 401 || !strings.Contains(r.Header.Header("WWW-Authenticate")[0], `error="invalid_token"`) {
		t.Fatalf("expired: %d", r.Status)
	}
	access, second := h.tokens(h.refresh(client, refresh))
	if second == refresh || second == "" {
		t.Fatal("the refresh token was not rotated")
	}
	if r := h.call(access, "get_time"); r.Status != 200 {
		t.Fatalf("after refresh: %d", r.Status)
	}
	if r := h.post(issuer+"/revoke", "token", second, "client_id", client); r.Status != 200 {
		t.Fatalf("revocation: %d", r.Status)
	}
	if r := h.call(access, "get_time"); r.Status != 401 {
		t.Fatalf("revoked: %d", r.Status)
	}
}

// Rules: refresh-reuse-detected.
func TestReuseEndsTheFamily(t *testing.T) {
	h := newSite(t, nil)
	client := h.public()
	_, first := h.tokens(h.exchange(client, h.code(client)))
	access, second := h.tokens(h.refresh(client, first))
	if r := h.refresh(client, first); r.Status != 400 || h.object(r)["error"] != "invalid_grant" {
		t.Fatalf("reuse: %d %s", r.Status, r.Body)
	}
	if r := h.refresh(client, second); r.Status != 400 {
		t.Fatalf("the newest token survived the reuse: %d", r.Status)
	}
	if r := h.call(access, "get_time"); r.Status != 401 {
		t.Fatalf("the access token survived the reuse: %d", r.Status)
	}
}

// Rules: as-token-code-reuse-revokes.
func TestCodeReuseRevokesOnlyWhenRight(t *testing.T) {
	h := newSite(t, nil)
	client, other := h.public(), h.public()
	code := h.code(client)
	access, _ := h.tokens(h.exchange(client, code))
	if r := h.exchange(other, code); r.Status != 400 {
		t.Fatalf("another client's use: %d", r.Status)
	}
	r := h.post(issuer+"/token", "grant_type", "authorization_code", "code", code, "redirect_uri", back, "client_id", client, "code_verifier", strings.Repeat("x", 43))
	if r.Status != 400 || h.call(access, "get_time").Status != 200 {
		t.Fatalf("a wrong second use must change nothing: %d", r.Status)
	}
	if r := h.exchange(client, code); r.Status != 400 || h.call(access, "get_time").Status != 401 {
		t.Fatalf("a right second use must revoke: %d", r.Status)
	}
}

func TestDeterminismAndForks(t *testing.T) {
	run := func() (string, *site) {
		h := newSite(t, nil)
		client := h.public()
		access, refresh := h.tokens(h.exchange(client, h.code(client)))
		return client + access + refresh, h
	}
	a, h := run()
	b, _ := run()
	if a != b {
		t.Fatal("the same inputs gave different tokens")
	}
	fork := h.w.Clone()
	client := h.public()
	before, err := fork.AS[0].Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	h.code(client)
	after, err := fork.AS[0].Snapshot()
	if err != nil || string(before) != string(after) {
		t.Fatalf("a fork was changed by its origin: %v", err)
	}
	twin, err := NewAS(h.w.AS[0].config)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := h.w.AS[0].Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := twin.Restore(snap); err != nil {
		t.Fatal(err)
	}
	req := wire.Request{Method: "GET", URL: authorizeURL(client)}
	x, y := h.w.AS[0].Answer(noon, req), twin.Answer(noon, req)
	if location(x).Encode() != location(y).Encode() || location(x).Get("code") == "" {
		t.Fatal("a restored server answers differently")
	}
	if strings.Contains(string(snap), "rt_") || strings.Contains(string(snap), "at_") || strings.Contains(string(snap), "rs-secret") {
		t.Fatal("the snapshot holds a secret")
	}
}
