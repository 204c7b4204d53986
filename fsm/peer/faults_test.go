package peer

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// life is the whole life of a client, and some of what can go wrong in it, as one
// text: every answer of every endpoint. The client never gives up, whatever comes.
func life(t *testing.T, change func(*ASConfig, *RSConfig)) string {
	t.Helper()
	h := newSite(t, func(a *ASConfig, r *RSConfig) {
		a.JWKS = []byte(`{"keys":[{"kty":"OKP"}]}`)
		a.RefreshGrace, a.Device, a.Verify = time.Minute, true, verifySigned
		a.DPoP, r.DPoP, r.Verify = DPoPOffered, DPoPOffered, verifySigned
		a.Clients = append(a.Clients, PreClient{ID: "app", RedirectURIs: []string{back}, GrantTypes: []string{"authorization_code", "refresh_token", deviceGrant}},
			PreClient{ID: "machine", Method: "private_key_jwt", JWKS: []byte(keySet), GrantTypes: []string{"client_credentials"}},
			PreClient{ID: "web", Secret: "w", RedirectURIs: []string{back}, GrantTypes: []string{"client_credentials"}})
		change(a, r)
	})
	var b strings.Builder
	say := func(what string, r wire.Response) wire.Response {
		fmt.Fprintf(&b, "%s: %d", what, r.Status)
		for _, f := range r.Header {
			b.WriteString(" [" + f.Name + ": " + f.Value + "]")
		}
		body := r.Body
		if len(body) > 4000 {
			fmt.Fprintf(&b, " (%d octets)", len(body))
			body = body[:4000]
		}
		b.WriteString(" " + string(body) + "\n")
		return r
	}
	plain := wire.Request{Method: "GET", URL: resource}
	say("bare", h.call("", "get_time"))
	say("bare GET", h.do(plain))
	say("prm", h.get(prmAddress(resource)))
	say("prm at the root", h.get("https://mcp.example/.well-known/oauth-protected-resource"))
	say("oidc", h.get(issuer+"/.well-known/openid-configuration"))
	say("asm", h.get(issuer+"/.well-known/oauth-authorization-server"))
	say("jwks", h.get(issuer+"/jwks.json"))
	reg := say("register", h.do(wire.Request{
		Method: "POST", URL: issuer + "/register", Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}},
		Body: []byte(`{"redirect_uris":["` + back + `"],"token_endpoint_auth_method":"client_secret_post"}`),
	}))
	say("authorize elsewhere", h.get(authorizeURL("app", "redirect_uri", "https://evil.example/")))
	code := location(say("authorize", h.get(authorizeURL("app", "scope", "user admin")))).Get("code")
	other := location(h.get(authorizeURL("app"))).Get("code")
	if id := between(string(reg.Body), `"client_id":"`, `"`); id != "" {
		say("authorize registered", h.get(authorizeURL(id)))
	}
	say("wrong verifier", h.post(issuer+"/token", "grant_type", "authorization_code", "code", other, "redirect_uri", back, "client_id", "app", "code_verifier", strings.Repeat("x", 43)))
	say("the right one after it", h.exchange("app", other))
	first := say("exchange", h.exchange("app", code))
	access := between(string(first.Body), `"access_token":"`, `"`)
	refresh := between(string(first.Body), `"refresh_token":"`, `"`)
	say("call", h.call(access, "get_time"))
	say("call beyond scope", h.call(between(string(h.exchange("app", location(h.get(authorizeURL("app"))).Get("code")).Body), `"access_token":"`, `"`), "purge"))
	say("made up", h.call("made-up", "get_time"))
	h.auth = wire.Fields{{Name: "Authorization", Value: "Basic cnM6cnMtc2VjcmV0"}}
	say("introspect", h.post(issuer+"/introspect", "token", access))
	h.auth = nil
	second := say("refresh", h.refresh("app", refresh))
	say("refresh without resource", h.post(issuer+"/token", "grant_type", "refresh_token", "refresh_token", refresh, "client_id", "app"))
	h.at = h.at.Add(10 * time.Second)
	say("reuse in grace", h.refresh("app", refresh))
	h.at = h.at.Add(10 * time.Minute)
	say("reuse", h.refresh("app", refresh))
	say("after reuse", h.refresh("app", between(string(second.Body), `"refresh_token":"`, `"`)))
	code = location(h.get(authorizeURL("app"))).Get("code")
	third := h.exchange("app", code)
	say("code again", h.exchange("app", code))
	say("revoke", h.post(issuer+"/revoke", "token", between(string(third.Body), `"refresh_token":"`, `"`), "client_id", "app"))
	say("assertion", h.post(issuer+"/token", "grant_type", "client_credentials", "client_assertion_type", assertionType,
		"client_assertion", signed("EdDSA", map[string]any{"iss": "machine", "sub": "machine", "aud": issuer, "exp": h.at.Add(time.Minute).Unix(), "jti": "1"}, keySet)))
	d := say("device", h.post(issuer+"/device_authorization", "client_id", "app", "scope", "user"))
	say("device polls", h.post(issuer+"/token", "grant_type", deviceGrant, "client_id", "app", "device_code", between(string(d.Body), `"device_code":"`, `"`)))
	e := enterprise(t, func(a *ASConfig) { change(a, &RSConfig{}) })
	id := say("ID token", e.identify())
	jag := say("ID-JAG", e.cross(between(string(id.Body), `"id_token":"`, `"`)))
	say("token", e.present(between(string(jag.Body), `"access_token":"`, `"`)))
	say("ID-JAG again", e.cross(between(string(id.Body), `"id_token":"`, `"`)))
	k := &bound{site: h, client: "app"}
	access = between(string(say("exchange with a proof", k.exchangedCode("AA", location(h.get(authorizeURL("app"))).Get("code"))).Body), `"access_token":"`, `"`)
	say("call with a proof", k.called("DPoP", "AA", access, nil))
	say("call without one", h.call(access, "get_time"))
	misuse(t, say, change)
	return b.String()
}

func between(s, from, to string) string {
	_, rest, ok := strings.Cut(s, from)
	if !ok {
		return ""
	}
	v, _, _ := strings.Cut(rest, to)
	return v
}

// TestEveryFaultShows runs a life with each fault: it must differ from a good
// one, name its endpoint and rule, act no more often than it is told to, and
// never crash anything.
func TestEveryFaultShows(t *testing.T) {
	with := func(name string) string {
		return life(t, func(a *ASConfig, r *RSConfig) {
			as, rs, err := Side([]string{name})
			if err != nil {
				t.Fatal(err)
			}
			a.Faults, r.Faults = as, rs
			if strings.HasPrefix(name, "refresh-echoes-token") {
				a.Faults = append(a.Faults, "refresh-no-rotation")
			}
			if f, _ := FaultNamed(name); f.Name == "audience-unchecked" {
				a.Faults = append(a.Faults, "audience-wrong")
			}
		})
	}
	good := life(t, func(*ASConfig, *RSConfig) {})
	still := life(t, func(a *ASConfig, _ *RSConfig) { a.Faults = []string{"refresh-no-rotation"} })
	wrong := life(t, func(a *ASConfig, _ *RSConfig) { a.Faults = []string{"audience-wrong"} })
	if good != life(t, func(*ASConfig, *RSConfig) {}) {
		t.Fatal("a life is not deterministic")
	}
	seen := map[string]string{good: "no fault"}
	var names []string
	for _, f := range Faults() {
		if slices.Contains(names, f.Name) {
			t.Errorf("%s is there twice", f.Name)
		}
		names = append(names, f.Name)
		if f.Says == "" || f.Rule == "" || f.Endpoint == "" {
			t.Errorf("%s says too little", f.Name)
		}
		base := good
		switch f.Name {
		case "refresh-echoes-token":
			base = still
		case "audience-unchecked":
			base = wrong
		}
		got := with(f.Name)
		if got == base {
			t.Errorf("%s changes nothing", f.Name)
		}
		if twin, ok := seen[got]; ok {
			t.Errorf("%s does what %s does", f.Name, twin)
		}
		seen[got] = f.Name
		if once := with(f.Name + "@1"); once == base {
			t.Errorf("%s@1 changes nothing", f.Name)
		}
	}
	if len(names) < 60 {
		t.Errorf("only %d faults", len(names))
	}
	t.Logf("%d faults", len(names))
}

func TestFaultNames(t *testing.T) {
	for _, c := range []struct {
		name string
		as   bool
		ok   bool
	}{
		{"iss-missing", true, true}, {"iss-missing@3", true, true}, {"iss-missing@0", true, false}, {"iss-missing@x", true, false},
		{"no-such-fault", true, false}, {"prm-404", true, false}, {"prm-404", false, true}, {"iss-missing", false, false},
	} {
		var err error
		if c.as {
			_, err = NewAS(ASConfig{Issuer: issuer, Faults: []string{c.name}})
		} else {
			_, err = NewRS(RSConfig{Resource: resource, Faults: []string{c.name}})
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestABoundedFaultEnds(t *testing.T) {
	h := newSite(t, func(a *ASConfig, r *RSConfig) {
		a.Faults = []string{"token-503-retry-after@2"}
		r.Faults = []string{"prm-500@1"}
	})
	client := h.public()
	code := h.code(client)
	fork := h.w.Clone()
	for n, want := range []int{503, 503} {
		if r := h.exchange(client, code); r.Status != want {
			t.Fatalf("%d: %d", n, r.Status)
		}
		code = h.code(client)
	}
	if r := h.exchange(client, code); r.Status != 200 {
		t.Fatalf("the fault goes on: %d", r.Status)
	}
	if h.get(prmAddress(resource)).Status != 500 || h.get(prmAddress(resource)).Status != 200 {
		t.Error("the resource server's fault does not end")
	}
	h.w = fork
	if r := h.exchange(client, h.code(client)); r.Status != 503 {
		t.Errorf("a fork shares the count: %d", r.Status)
	}
}

func TestFaultsCiteTheRegistry(t *testing.T) {
	for _, f := range Faults() {
		if _, ok := rules.Lookup(f.Rule); !ok {
			t.Errorf("%s cites %s, which is no rule", f.Name, f.Rule)
		}
	}
}

// TestPurity reads the imports of this package.
func TestPurity(t *testing.T) {
	allowed := []string{
		"cmp", "crypto/hmac", "crypto/sha256", "encoding/base64", "encoding/binary", "encoding/hex", "fmt", "net/url", "slices", "strconv", "strings", "time",
		"github.com/go-json-experiment/json", "github.com/go-json-experiment/json/jsontext", "github.com/stile-oauth/stile/states/rules", "github.com/stile-oauth/stile/states/wire",
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil || !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", name, path)
			}
		}
		for _, banned := range []string{"time.Now", "go func", "chan ", "select {"} {
			if strings.Contains(string(src), banned) {
				t.Errorf("%s holds %q", name, banned)
			}
		}
	}
}
