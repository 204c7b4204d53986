package peer

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

const idp = "https://idp.example"

// signer signs as signed does, but with the caller's header.
func signer(keys string) Signer {
	enc := base64.RawURLEncoding.EncodeToString
	return func(header, claims []byte) string { return enc(header) + "." + enc(claims) + "." + enc([]byte(keys)) }
}

// enterprise is an identity provider, an authorization server that trusts it, and a
// client that both know.
func enterprise(t *testing.T, change func(provider *ASConfig)) *site {
	t.Helper()
	h := newSite(t, func(a *ASConfig, _ *RSConfig) {
		a.Verify, a.Trusted = verifySigned, []Trusted{{Issuer: idp}, {Issuer: "https://platform.example", JWKS: []byte(`{"keys":[{}]}`), Workloads: true}}
		a.Clients = append(a.Clients, PreClient{ID: "app", Secret: "at-the-server", GrantTypes: []string{bearerGrant}},
			PreClient{ID: "other", Secret: "o", GrantTypes: []string{bearerGrant}})
	})
	c := ASConfig{
		Issuer: idp, Seed: []byte("seed of the provider"), AutoConsent: true, Identity: true,
		Sign: signer(keySet), SignAlg: "EdDSA", JWKS: []byte(keySet), Verify: verifySigned,
		Clients: []PreClient{{
			ID: "company", Secret: "at-the-provider", RedirectURIs: []string{back},
			GrantTypes: []string{"authorization_code", "refresh_token", exchangeGrant}, Elsewhere: map[string]string{issuer: "app"},
		}},
	}
	if change != nil {
		change(&c)
	}
	provider, err := NewAS(c)
	if err != nil {
		t.Fatal(err)
	}
	h.w.AS = append(h.w.AS, provider)
	return h
}

// identify logs in at the provider.
func (h *site) identify() wire.Response {
	code := location(h.get(strings.Replace(authorizeURL("company", "scope", "openid", "resource", "-"), issuer, idp, 1))).Get("code")
	return h.post(idp+"/token", "grant_type", "authorization_code", "code", code, "redirect_uri", back,
		"client_id", "company", "client_secret", "at-the-provider", "code_verifier", verifier)
}

// cross exchanges an ID token for an ID-JAG.
func (h *site) cross(idToken string, change ...string) wire.Response {
	form := []string{
		"grant_type", exchangeGrant, "requested_token_type", typeIDJAG, "subject_token", idToken, "subject_token_type", typeIDToken,
		"audience", issuer, "resource", resource, "scope", "user purge", "client_id", "company", "client_secret", "at-the-provider",
	}
	return h.post(idp+"/token", withFields(form, change)...)
}

// present redeems an assertion, after the keys that it needs were fetched.
func (h *site) present(assertion string, change ...string) wire.Response {
	form := withFields([]string{"grant_type", bearerGrant, "assertion", assertion, "client_id", "app", "client_secret", "at-the-server"}, change)
	req := wire.Request{}
	for i := 0; i < len(form); i += 2 {
		req.Form = append(req.Form, wire.Field{Name: form[i], Value: form[i+1]})
	}
	if from := h.w.AS[0].NeedsKeys(h.at, req); from != "" {
		h.w.AS[0].LearnKeys(h.at, from, h.get(from+"/jwks.json").Body)
	}
	return h.post(issuer+"/token", form...)
}

// withFields puts fields over others; "-" takes one away.
func withFields(form, change []string) []string {
	var out []string
	for i := 0; i < len(form); i += 2 {
		v := form[i+1]
		for n := 0; n < len(change); n += 2 {
			if change[n] == form[i] {
				v = change[n+1]
			}
		}
		if v != "-" {
			out = append(out, form[i], v)
		}
	}
	for n := 0; n < len(change); n += 2 {
		known := false
		for i := 0; i < len(form); i += 2 {
			known = known || form[i] == change[n]
		}
		if !known {
			out = append(out, change[n], change[n+1])
		}
	}
	return out
}

func claimsIn(t *testing.T, jws string) map[string]any {
	t.Helper()
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", jws)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A user of a company logs in at its provider, once. With what the provider says of
// them, the client gets tokens at the server, which nobody visits.
func TestIdentityAssertion(t *testing.T) {
	h := enterprise(t, nil)
	login := h.object(h.identify())
	idToken, _ := login["id_token"].(string)
	if c := claimsIn(t, idToken); c["iss"] != idp || c["aud"] != "company" || c["sub"] != "demo_user" {
		t.Errorf("the ID token says %v", c)
	}
	answer := h.object(h.cross(idToken))
	jag, _ := answer["access_token"].(string)
	if answer["issued_token_type"] != typeIDJAG || answer["token_type"] != "N_A" {
		t.Errorf("the exchange answers %v", answer)
	}
	c := claimsIn(t, jag)
	if c["aud"] != issuer || c["client_id"] != "app" || c["resource"] != resource || c["sub"] != "demo_user" || c["jti"] == "" {
		t.Errorf("the ID-JAG says %v", c)
	}
	token := h.object(h.present(jag))
	access, _ := token["access_token"].(string)
	if token["scope"] != "user" || token["refresh_token"] != nil {
		t.Errorf("the token answer is %v", token)
	}
	if r := h.call(access, "get_time"); r.Status != 200 {
		t.Errorf("a call: %d", r.Status)
	}
	if r := h.present(jag); r.Status != 400 || h.object(r)["error"] != "invalid_grant" {
		t.Errorf("the ID-JAG again: %d %s", r.Status, r.Body)
	}
	h.at = h.at.Add(idTokenLife)
	if r := h.cross(idToken); h.object(r)["error"] != "invalid_grant" {
		t.Errorf("an old ID token: %s", r.Body)
	}
	refreshed := h.object(h.post(idp+"/token", "grant_type", "refresh_token", "refresh_token", login["refresh_token"].(string), "client_id", "company", "client_secret", "at-the-provider"))
	fresh, _ := refreshed["id_token"].(string)
	if r := h.cross(fresh); r.Status != 200 {
		t.Errorf("the ID token of a refresh: %s", r.Body)
	}
}

// Whatever is wrong with an assertion or an exchange is refused, with the rule in the
// verdict.
func TestIdentityAssertionRefused(t *testing.T) {
	good := map[string]any{
		"iss": idp, "sub": "demo_user", "aud": issuer, "client_id": "app", "resource": resource, "scope": "user",
		"iat": noon.Unix(), "exp": noon.Add(time.Minute).Unix(), "jti": "1",
	}
	for _, c := range []struct {
		name   string
		claims map[string]any
		typ    string
		keys   string
		form   []string
		error  string
		rule   rules.ID
	}{
		{name: "as it should be"},
		{name: "the audience with a slash", claims: map[string]any{"aud": issuer + "/"}},
		{name: "the audience in a list", claims: map[string]any{"aud": []string{issuer}}},
		{name: "no resource in it", claims: map[string]any{"resource": nil}, form: []string{"resource", resource}},
		{name: "no scope in it", claims: map[string]any{"scope": nil}},
		{name: "another typ", typ: "JWT", error: "invalid_grant", rule: rules.ExtEMAJAGTyp},
		{name: "another key", keys: "{}", error: "invalid_grant", rule: rules.ExtEMASignature},
		{name: "another issuer", claims: map[string]any{"iss": "https://evil.example"}, error: "invalid_grant", rule: rules.ExtEMASignature},
		{name: "an issuer for workloads only", claims: map[string]any{"iss": "https://platform.example"}, error: "invalid_grant", rule: rules.ExtEMASignature},
		{name: "another audience", claims: map[string]any{"aud": "https://elsewhere.example"}, error: "invalid_grant", rule: rules.ExtEMAAudSingle},
		{name: "two audiences", claims: map[string]any{"aud": []string{issuer, "https://elsewhere.example"}}, error: "invalid_grant", rule: rules.ExtEMAAudSingle},
		{name: "another client", claims: map[string]any{"client_id": "other"}, error: "invalid_grant", rule: rules.ExtEMAClientMatch},
		{name: "another resource", claims: map[string]any{"resource": "https://elsewhere.example/mcp"}, error: "invalid_target", rule: rules.ExtEMAResourceMatch},
		{name: "another resource in the request", form: []string{"resource", "https://elsewhere.example/mcp"}, error: "invalid_grant", rule: rules.ExtEMAResourceMatch},
		{name: "two resources", claims: map[string]any{"resource": []string{resource, resource}}, error: "invalid_grant", rule: rules.ExtEMAResourceMatch},
		{name: "old", claims: map[string]any{"exp": noon.Add(-2 * time.Minute).Unix()}, error: "invalid_grant", rule: rules.ExtEMAJAGClaims},
		{name: "of tomorrow", claims: map[string]any{"iat": noon.Add(24 * time.Hour).Unix()}, error: "invalid_grant", rule: rules.ExtEMAJAGClaims},
		{name: "no jti", claims: map[string]any{"jti": nil}, error: "invalid_grant", rule: rules.ExtEMAJAGClaims},
		{name: "no sub", claims: map[string]any{"sub": nil}, error: "invalid_grant", rule: rules.ExtEMAJAGClaims},
		{name: "no exp", claims: map[string]any{"exp": nil}, error: "invalid_grant", rule: rules.ExtEMAJAGClaims},
		{name: "more scope than it allows", form: []string{"scope", "admin"}, error: "invalid_scope", rule: rules.ExtEMAScopeIntersection},
		{name: "no assertion", form: []string{"assertion", "-"}, error: "invalid_request", rule: rules.ExtEMAGrant},
		{name: "rubbish", form: []string{"assertion", "rubbish"}, error: "invalid_grant", rule: rules.ExtEMAJAGClaims},
		{name: "a wrong secret", form: []string{"client_secret", "guessed"}, error: "invalid_client", rule: rules.ASTokenClientAuth},
	} {
		h := enterprise(t, nil)
		claims := maps.Clone(good)
		for n, v := range c.claims {
			claims[n] = v
			if v == nil {
				delete(claims, n)
			}
		}
		typ, keys := c.typ, c.keys
		if typ == "" {
			typ = idJAGType
		}
		if keys == "" {
			keys = keySet
		}
		jws := signer(keys)([]byte(`{"alg":"EdDSA","typ":"`+typ+`"}`), jsonBytes(claims))
		again := h.w.AS[0].Clone()
		again.LearnKeys(h.at, idp, []byte(keySet))
		r := h.present(jws, c.form...)
		said, _ := h.object(r)["error"].(string)
		if said != c.error || (c.error == "") != (r.Status == 200) {
			t.Errorf("%s: %d %s", c.name, r.Status, r.Body)
		}
		if c.rule == "" {
			continue
		}
		form := wire.Fields{}
		for f := withFields([]string{"grant_type", bearerGrant, "assertion", jws, "client_id", "app", "client_secret", "at-the-server"}, c.form); len(f) > 0; f = f[2:] {
			form = append(form, wire.Field{Name: f[0], Value: f[1]})
		}
		_, why := again.Judge(h.at, wire.Request{
			Method: "POST", URL: issuer + "/token", Form: form, Header: wire.Fields{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}},
		})
		if why.Rule != c.rule {
			t.Errorf("%s: broke %s, want %s (%s)", c.name, why.Rule, c.rule, why.Detail)
		}
	}
}

func TestExchangeRefused(t *testing.T) {
	h := enterprise(t, func(c *ASConfig) {
		c.Clients = append(c.Clients, PreClient{ID: "another", Secret: "a", GrantTypes: []string{exchangeGrant}}, PreClient{ID: "public", GrantTypes: []string{exchangeGrant}})
	})
	idToken := h.object(h.identify())["id_token"].(string)
	for _, c := range []struct {
		name, error string
		form        []string
	}{
		{"as it should be", "", nil},
		{"without a resource", "", []string{"resource", "-"}},
		{"another kind of token", "invalid_request", []string{"requested_token_type", "urn:ietf:params:oauth:token-type:access_token"}},
		{"of another kind of token", "invalid_request", []string{"subject_token_type", "urn:ietf:params:oauth:token-type:access_token"}},
		{"of rubbish", "invalid_grant", []string{"subject_token", "rubbish"}},
		{"for nobody", "invalid_target", []string{"audience", "-"}},
		{"for the provider itself", "invalid_target", []string{"audience", idp}},
		{"for no resource", "invalid_target", []string{"resource", "nowhere"}},
		{"by another client", "invalid_grant", []string{"client_id", "another", "client_secret", "a"}},
		{"by a public client", "unauthorized_client", []string{"client_id", "public", "client_secret", "-"}},
	} {
		if said, _ := h.object(h.cross(idToken, c.form...))["error"].(string); said != c.error {
			t.Errorf("%s: %q, want %q", c.name, said, c.error)
		}
	}
	if r := h.post(issuer+"/token", "grant_type", exchangeGrant, "client_id", "app", "client_secret", "at-the-server"); h.object(r)["error"] != "unsupported_grant_type" {
		t.Errorf("a server that is no provider: %s", r.Body)
	}
}

// A workload has no client, and its platform's assertion may come again.
func TestWorkloadAssertion(t *testing.T) {
	h := enterprise(t, nil)
	say := func(change map[string]any) wire.Response {
		claims := map[string]any{"iss": "https://platform.example", "sub": "job", "aud": issuer + "/token", "exp": noon.Add(time.Hour).Unix(), "jti": "1"}
		maps.Copy(claims, change)
		return h.post(issuer+"/token", "grant_type", bearerGrant, "assertion", signed("EdDSA", claims, `{"keys":[{}]}`), "resource", resource)
	}
	for range 2 {
		token := h.object(say(nil))
		if r := h.call(token["access_token"].(string), "get_time"); r.Status != 200 || token["refresh_token"] != nil {
			t.Errorf("a call: %d; %v", r.Status, token)
		}
	}
	for name, change := range map[string]map[string]any{
		"another audience": {"aud": "https://elsewhere.example"}, "old": {"exp": noon.Add(-time.Hour).Unix()}, "a user's": {"iss": idp},
	} {
		if r := say(change); r.Status != 400 || h.object(r)["error"] != "invalid_grant" {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
}

func TestIdentityNeedsKeys(t *testing.T) {
	for name, c := range map[string]ASConfig{
		"a provider that does not sign": {Issuer: idp, Identity: true, Verify: verifySigned},
		"trust that nothing verifies":   {Issuer: issuer, Trusted: []Trusted{{Issuer: idp}}},
	} {
		if _, err := NewAS(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
