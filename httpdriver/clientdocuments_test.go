package httpdriver_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// TestWhatClientDocumentsSay: the document names the methods and grants that logins use, and
// the key exactly where one of the methods needs it.
//
// Rules: cimd-doc-fields, cimd-methods-array.
func TestWhatClientDocumentsSay(t *testing.T) {
	_, key := keyed(t, goidc.GrantAuthorizationCode)
	about, secret := key.About(), key.About()
	secret.Keys = ""
	both := []string{"private_key_jwt", "none"}
	for name, c := range map[string]struct {
		change  func(*httpdriver.Policy)
		method  string
		methods []string
		grants  string
		jwks    bool
	}{
		"public":             {func(*httpdriver.Policy) {}, "none", nil, "authorization_code refresh_token", false},
		"with a key":         {func(p *httpdriver.Policy) { p.Key = &about }, "private_key_jwt", both, "authorization_code refresh_token", true},
		"the key alone":      {func(p *httpdriver.Policy) { p.Key, p.AuthMethod = &about, wire.MethodJWT }, "private_key_jwt", nil, "authorization_code refresh_token", true},
		"not the key":        {func(p *httpdriver.Policy) { p.Key, p.AuthMethod = &about, wire.MethodNone }, "none", nil, "authorization_code refresh_token", false},
		"a key not to offer": {func(p *httpdriver.Policy) { p.Key = &secret }, "none", nil, "authorization_code refresh_token", false},
		"no refresh":         {func(p *httpdriver.Policy) { p.NoRefresh = true }, "none", nil, "authorization_code", false},
		"grants": {func(p *httpdriver.Policy) {
			p.NoRefresh, p.Grants = true, []string{"authorization_code", string(states.DeviceGrant)}
		}, "none", nil, "authorization_code " + string(states.DeviceGrant), false},
	} {
		p := httpdriver.Policy{CIMD: "https://app.example/client.json", Redirects: []string{"https://app.example/callback"}}
		c.change(&p)
		text, err := p.ClientDocument()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var m struct {
			Name    string          `json:"client_name"`
			Method  string          `json:"token_endpoint_auth_method"`
			Methods []string        `json:"token_endpoint_auth_methods_supported"`
			Grants  []string        `json:"grant_types"`
			Keys    json.RawMessage `json:"jwks"`
		}
		if err := json.Unmarshal(text, &m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if m.Name != "Stile" || m.Method != c.method || !slices.Equal(m.Methods, c.methods) || strings.Join(m.Grants, " ") != c.grants || (m.Keys != nil) != c.jwks {
			t.Errorf("%s: %s", name, text)
		}
	}
	for _, method := range []string{wire.MethodBasic, wire.MethodPost} {
		p := httpdriver.Policy{CIMD: "https://app.example/client.json", Redirects: []string{"https://app.example/callback"}, AuthMethod: method}
		if _, err := p.ClientDocument(); fieldOf(err) != "AuthMethod" {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// TestClientDocumentHeaders: an issuer may keep the document for an hour, and nobody takes it
// for a page.
func TestClientDocumentHeaders(t *testing.T) {
	p := httpdriver.Policy{CIMD: "https://app.example/client.json", Redirects: []string{"https://app.example/callback"}}
	h, err := p.ClientDocumentHandler()
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", p.CIMD, nil))
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff",
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestClientDocumentAnswer: the document is served with its length, to GET and HEAD alone.
func TestClientDocumentAnswer(t *testing.T) {
	p := httpdriver.Policy{CIMD: "https://app.example/client.json", Redirects: []string{"http://127.0.0.1/callback"}, NoRefresh: true}
	h, err := p.ClientDocumentHandler()
	if err != nil {
		t.Fatal(err)
	}
	document, err := p.ClientDocument()
	if err != nil || !strings.Contains(string(document), `"grant_types":["authorization_code"]`) {
		t.Errorf("%s %v", document, err)
	}
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(method, p.CIMD, nil))
		body := map[string]string{"GET": string(document)}[method]
		if rec.Code != want || want == 200 && (rec.Body.String() != body || rec.Header().Get("Content-Length") != strconv.Itoa(len(document))) || want == 405 && rec.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d %v %s", method, rec.Code, rec.Header(), rec.Body)
		}
	}
}
