package httpdriver_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// TestClientDocument: a host serves its own document, and an issuer that reads it
// logs the user in without a registration.
func TestClientDocument(t *testing.T) {
	g, err := guard.New(guard.Options{Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(s setup) { s.AS.CIMD, s.AS.Fetch = true, devas.Fetch(g, true) })
	mux := http.NewServeMux()
	policy := httpdriver.Policy{
		CIMD: w.host("document", mux) + "/client.json", ClientName: "Gateway", Redirects: []string{"http://127.0.0.1/callback"}, Scopes: []string{"user"},
		ClientProfile: wire.ClientProfile{
			Logo: "https://gateway.example/logo.png", Contacts: []string{"help@gateway.example"}, Terms: "https://gateway.example/terms",
			Policy: "https://gateway.example/privacy", SoftwareID: "gateway", SoftwareVersion: "1.2",
		},
	}
	h, err := policy.ClientDocumentHandler()
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/client.json", h)

	d := w.driver(t, func(o *httpdriver.Options) { o.Policy = policy; o.Policy.Redirects = nil })
	w.call(t, w.client(t, d))
	if w.Tap.count("as", "/register") != 0 || w.Tap.count("document", "/client.json") == 0 {
		t.Errorf("the document was not used:%s", w.Tap.list())
	}
	document, err := policy.ClientDocument()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"client_id":"` + policy.CIMD + `"`, `"token_endpoint_auth_method":"none"`, `"grant_types":["authorization_code","refresh_token"]`,
		`"logo_uri":"https://gateway.example/logo.png"`, `"contacts":["help@gateway.example"]`, `"tos_uri":`, `"policy_uri":`,
		`"software_id":"gateway"`, `"software_version":"1.2"`, `"application_type":"native"`, `"scope":"user"`,
	} {
		if !strings.Contains(string(document), want) {
			t.Errorf("no %s in %s", want, document)
		}
	}
	resp, err := http.Post(policy.CIMD, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("a POST: %d %v", resp.StatusCode, resp.Header)
	}
}

// TestClientDocumentWithKey: a document that lists two methods is used with the key, at an
// issuer that lists private_key_jwt.
//
// Rules: cimd-methods-array.
func TestClientDocumentWithKey(t *testing.T) {
	g, err := guard.New(guard.Options{Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	_, key := keyed(t, goidc.GrantAuthorizationCode)
	w := newWorld(t, func(s setup) { s.AS.CIMD, s.AS.Fetch = true, devas.Fetch(g, true) })
	mux := http.NewServeMux()
	about := key.About()
	policy := httpdriver.Policy{CIMD: w.host("document", mux) + "/client.json", Redirects: []string{"http://127.0.0.1/callback"}, Key: &about}
	h, err := policy.ClientDocumentHandler()
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/client.json", h)
	d := w.driver(t, func(o *httpdriver.Options) { o.Policy, o.Signer = policy, key; o.Policy.Redirects = nil })
	w.call(t, w.client(t, d))
	exchanges := 0
	for _, s := range w.Tap.requests() {
		if s.To == "as" && s.Path == "/token" {
			if exchanges++; s.form("client_assertion") == "" {
				t.Errorf("the key was not used: %s", s.Body)
			}
		}
	}
	if exchanges != 1 || w.Tap.count("as", "/register") != 0 {
		t.Errorf("the document was not used:%s", w.Tap.list())
	}
}

// What cannot be a document is refused before anybody reads it.
func TestClientDocumentRefused(t *testing.T) {
	good := httpdriver.Policy{CIMD: "https://gateway.example/client.json", Redirects: []string{"https://gateway.example/callback"}}
	if _, err := good.ClientDocument(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*httpdriver.Policy){
		"CIMD":       func(p *httpdriver.Policy) { p.CIMD = "" },
		"Redirects":  func(p *httpdriver.Policy) { p.Redirects = nil },
		"AuthMethod": func(p *httpdriver.Policy) { p.AuthMethod = wire.MethodBasic },
	} {
		p := good
		change(&p)
		_, err := p.ClientDocumentHandler()
		if of := fieldOf(err); of != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	p := good
	p.CIMD = "http://gateway.example/client.json"
	if _, err := p.ClientDocument(); fieldOf(err) != "CIMD" {
		t.Errorf("a document over http: %v", err)
	}
}

func fieldOf(err error) string {
	if f, ok := asField(err); ok {
		return f.Field
	}
	return ""
}

func asField(err error) (f *fsm.FieldError, ok bool) {
	ok = errors.As(err, &f)
	return f, ok
}
