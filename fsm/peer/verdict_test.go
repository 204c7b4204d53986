package peer

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// TestTokenEndpointDecides: what the endpoints that take a form answer, and the
// rule that the log shows for it.
func TestTokenEndpointDecides(t *testing.T) {
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
	}
	h := newSite(t, func(a *ASConfig, _ *RSConfig) {
		a.Clients = append(a.Clients,
			PreClient{ID: "machine", Secret: "s", GrantTypes: []string{"client_credentials"}},
			PreClient{ID: "poster", Secret: "s", Method: "client_secret_post", GrantTypes: []string{"client_credentials"}},
			PreClient{ID: "basic", Secret: "s", Method: "client_secret_basic", GrantTypes: []string{"client_credentials"}})
	})
	public := h.public()
	post := h.register(`{"redirect_uris":["` + back + `"],"token_endpoint_auth_method":"client_secret_post"}`)
	id, secret := post["client_id"].(string), post["client_secret"].(string)
	code := func(client string) []string {
		return []string{"grant_type", "authorization_code", "code", h.code(client), "redirect_uri", back, "client_id", client, "code_verifier", verifier}
	}
	without := func(form []string, name string) []string {
		for i := 0; i < len(form); i += 2 {
			if form[i] == name {
				return append(form[:i:i], form[i+2:]...)
			}
		}
		return form
	}
	machine := []string{"grant_type", "client_credentials"}
	for _, c := range []struct {
		name, path, auth string
		form             []string
		status           int
		code             string
		rule             rules.ID
	}{
		{"good", "/token", "", code(public), 200, "", ""},
		{"code missing", "/token", "", without(code(public), "code"), 400, "invalid_request", rules.ASTokenErrorShape},
		{"verifier missing", "/token", "", without(code(public), "code_verifier"), 400, "invalid_request", rules.ASTokenVerifierIffChallenge},
		{"code unknown", "/token", "", []string{"grant_type", "authorization_code", "code", "x", "client_id", public, "code_verifier", verifier}, 400, "invalid_grant", rules.ASTokenCodeOnce},
		{"refresh token missing", "/token", "", []string{"grant_type", "refresh_token", "client_id", public}, 400, "invalid_request", rules.RefreshParams},
		{"refresh token unknown", "/token", "", []string{"grant_type", "refresh_token", "client_id", public, "refresh_token", "x"}, 400, "invalid_grant", rules.RefreshInvalidGrantTerminal},
		{"grant missing", "/token", "", []string{"client_id", public}, 400, "invalid_request", rules.ASTokenErrorShape},
		{"post registered, post sent", "/token", "", append(code(id), "client_secret", secret), 200, "", ""},
		{"post registered, Basic sent", "/token", basic(id, secret), code(id), 401, "invalid_client", rules.ClientauthMethodFromRegistration},
		{"post registered, nothing sent", "/token", "", code(id), 401, "invalid_client", rules.ClientauthMethodFromRegistration},
		{"none registered, Basic sent", "/token", basic(public, "s"), code(public), 401, "invalid_client", rules.ClientauthMethodFromRegistration},
		{"none registered, post sent", "/token", "", append(code(public), "client_secret", "s"), 401, "invalid_client", rules.ClientauthMethodFromRegistration},
		{"wrong secret", "/token", "", append(code(id), "client_secret", "x"), 401, "invalid_client", rules.ASTokenClientAuth},
		{"unknown client", "/token", "", append(machine, "client_id", "nobody"), 401, "invalid_client", rules.ASTokenClientAuth},
		{"configured either way, Basic", "/token", basic("machine", "s"), machine, 200, "", ""},
		{"configured either way, post", "/token", "", append(machine, "client_id", "machine", "client_secret", "s"), 200, "", ""},
		{"configured for post, Basic", "/token", basic("poster", "s"), machine, 401, "invalid_client", rules.ClientauthMethodFromRegistration},
		{"configured for Basic, post", "/token", "", append(machine, "client_id", "basic", "client_secret", "s"), 401, "invalid_client", rules.ClientauthMethodFromRegistration},
		{"introspection without token", "/introspect", basic("rs", "rs-secret"), nil, 400, "invalid_request", rules.ASTokenErrorShape},
		{"introspection by a stranger", "/introspect", basic("machine", "s"), []string{"token", "x"}, 403, "unauthorized_client", rules.ASIntrospectAuth},
		{"revocation without token", "/revoke", "", []string{"client_id", public}, 400, "invalid_request", rules.RevokeFormPost},
	} {
		req := wire.Request{Method: "POST", URL: issuer + c.path, Header: wire.Fields{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}}
		if c.auth != "" {
			req.Header = append(req.Header, wire.Field{Name: "Authorization", Value: c.auth})
		}
		for i := 0; i < len(c.form); i += 2 {
			req.Form = append(req.Form, wire.Field{Name: c.form[i], Value: c.form[i+1]})
		}
		r, why := h.w.AS[0].Judge(h.at, req)
		if got, _ := h.object(r)["error"].(string); r.Status != c.status || got != c.code || why.Rule != c.rule {
			t.Errorf("%s: %d %s, by %q: %s", c.name, r.Status, r.Body, why.Rule, why.Detail)
		}
	}
}

// TestClientCredentialsAreConfigured: open registration gives no tokens to
// anybody without a user.
func TestClientCredentialsAreConfigured(t *testing.T) {
	h := newSite(t, nil)
	r := h.do(wire.Request{
		Method: "POST", URL: issuer + "/register", Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}},
		Body: []byte(`{"grant_types":["client_credentials"],"token_endpoint_auth_method":"client_secret_basic"}`),
	})
	if r.Status != 400 || !strings.Contains(string(r.Body), "invalid_client_metadata") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	m := h.register(`{"redirect_uris":["` + back + `"]}`)
	h.auth = wire.Fields{{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(m["client_id"].(string)+":"+m["client_secret"].(string)))}}
	if r := h.post(issuer+"/token", "grant_type", "client_credentials"); r.Status != 400 || !strings.Contains(string(r.Body), "unauthorized_client") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	// Nor does a document, whatever it says and signs.
	const document = "https://client.example/app.json"
	h = newSite(t, func(a *ASConfig, _ *RSConfig) { a.Verify = verifySigned })
	if err := h.w.AS[0].Learn(h.at, document, wire.Response{
		Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}},
		Body: []byte(`{"client_id":"` + document + `","client_name":"x","redirect_uris":["` + back + `"],"grant_types":["client_credentials"],"token_endpoint_auth_method":"private_key_jwt","jwks":` + keySet + `}`),
	}); err != nil {
		t.Fatal(err)
	}
	assertion := signed("EdDSA", map[string]any{"iss": document, "sub": document, "aud": issuer, "exp": h.at.Add(time.Minute).Unix(), "jti": "1"}, keySet)
	r = h.post(issuer+"/token", "grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", assertion)
	if r.Status != 400 || !strings.Contains(string(r.Body), "unauthorized_client") {
		t.Errorf("a document: %d %s", r.Status, r.Body)
	}
}

// TestTokensAreBounded: a full server says so, and serves again when tokens have
// run out; spent refresh tokens make room for new ones.
func TestTokensAreBounded(t *testing.T) {
	h := newSite(t, func(a *ASConfig, _ *RSConfig) { a.MaxTokens = 3 })
	client := h.public()
	for range 3 {
		if r := h.exchange(client, h.code(client)); r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	if q := location(h.get(authorizeURL(client))); q.Get("error") != "temporarily_unavailable" {
		t.Errorf("a fourth code: %v", q)
	}
	if r := h.post(issuer+"/token", "grant_type", "refresh_token", "client_id", client, "refresh_token", "x"); r.Status != 429 {
		t.Errorf("a full server: %d %s", r.Status, r.Body)
	}
	h.at = h.at.Add(2 * time.Hour)
	h.w.AS[0].config.MaxTokens = 5
	last := between(string(h.exchange(client, h.code(client)).Body), `"refresh_token":"`, `"`)
	for range 20 {
		r := h.refresh(client, last)
		if r.Status != 200 {
			t.Fatalf("a rotation: %d %s", r.Status, r.Body)
		}
		last = between(string(r.Body), `"refresh_token":"`, `"`)
		h.at = h.at.Add(time.Hour)
	}
	if n := len(h.w.AS[0].state.Refresh); n > 5 {
		t.Errorf("%d refresh tokens are kept", n)
	}
}

// TestTokensAreBoundedByDefault: a client that has a secret cannot fill the memory.
func TestTokensAreBoundedByDefault(t *testing.T) {
	h := newSite(t, func(a *ASConfig, _ *RSConfig) {
		a.Clients = append(a.Clients, PreClient{ID: "machine", Secret: "s", GrantTypes: []string{"client_credentials"}})
	})
	h.auth = wire.Fields{{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte("machine:s"))}}
	given := 0
	for given < 20_000 && h.post(issuer+"/token", "grant_type", "client_credentials").Status == 200 {
		given++
	}
	if given != 10_000 {
		t.Errorf("%d tokens were given", given)
	}
}

// TestRegistrationKeepsWhatIsSaid: what a client says of itself comes back.
func TestRegistrationKeepsWhatIsSaid(t *testing.T) {
	h := newSite(t, nil)
	m := h.register(`{"redirect_uris":["` + back + `"],"client_uri":"https://c.example/","logo_uri":"https://c.example/l.png","policy_uri":"https://c.example/p",
		"tos_uri":"https://c.example/t","contacts":["a@c.example"],"software_id":"id","software_version":"1.2"}`)
	for name, want := range map[string]string{
		"client_uri": "https://c.example/", "logo_uri": "https://c.example/l.png", "policy_uri": "https://c.example/p", "tos_uri": "https://c.example/t",
		"software_id": "id", "software_version": "1.2", "token_endpoint_auth_method": "client_secret_basic",
	} {
		if m[name] != want {
			t.Errorf("%s: %v", name, m[name])
		}
	}
	if c, _ := m["contacts"].([]any); len(c) != 1 || c[0] != "a@c.example" {
		t.Errorf("contacts: %v", m["contacts"])
	}
	r := h.do(wire.Request{
		Method: "POST", URL: issuer + "/register", Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}},
		Body: []byte(`{"redirect_uris":["` + back + `"],"tos_uri":"javascript:alert(1)"}`),
	})
	if r.Status != 400 {
		t.Errorf("a script as tos_uri: %d", r.Status)
	}
}

// TestStepUpSurvivesChallengeFaults: a fault about something else leaves error
// and scope of a 403 in place.
func TestStepUpSurvivesChallengeFaults(t *testing.T) {
	about := map[string]string{ // the parameter that the fault is about
		"challenge-offline-access": "scope", "challenge-duplicate-param": "scope", "challenge-scope-octets": "scope",
		"endless-403": "scope", "plain-403": "error scope", "scope-403-no-error": "error", "scope-403-no-scope": "scope",
		"scope-403-as-401": "status", "rs-200-for-failure": "status error scope", "rs-500": "status error scope", "rs-404": "status error scope",
		"rs-400-for-expired": "status error scope", "endless-401": "status error scope",
	}
	for _, f := range mcpFaults {
		s, err := NewRS(RSConfig{
			Resource: resource, AuthorizationServers: []string{issuer}, Scopes: []string{"user"},
			Rules: []ScopeRule{{Tool: "purge", Scopes: []string{"admin"}}}, Faults: []string{f.Name},
		})
		if err != nil {
			t.Fatal(err)
		}
		j := s.Judge(noon, wire.Request{
			Method: "POST", URL: resource, Header: wire.Fields{{Name: "Authorization", Value: "Bearer good"}},
			Body: []byte(`{"method":"tools/call","params":{"name":"purge"}}`),
		}, who)
		if strings.Contains(about[f.Name], "status") {
			continue
		}
		text := strings.ToLower(strings.Join(j.Response.Header.Header("WWW-Authenticate"), ", "))
		for name, want := range map[string]string{"error": `error="insufficient_scope"`, "scope": `scope="user admin"`} {
			if !strings.Contains(about[f.Name], name) && !strings.Contains(text, want) {
				t.Errorf("%s: %d %s", f.Name, j.Response.Status, text)
			}
		}
	}
}
