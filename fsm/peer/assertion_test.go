package peer

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// signed makes a JWS whose signature is the key set that it is good for.
func signed(alg string, claims map[string]any, keys string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"`+alg+`"}`)) + "." + enc(jsonBytes(claims)) + "." + enc([]byte(keys))
}

// verifySigned is the Verify that belongs to it.
func verifySigned(jws string, jwks []byte) (header, claims []byte, ok bool) {
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return nil, nil, false
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return nil, nil, false
		}
	}
	return raw[0], raw[1], bytes.Equal(raw[2], jwks)
}

const keySet = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`

// TestAssertions: client credentials with private_key_jwt, and everything that
// can be wrong with the assertion.
func TestAssertions(t *testing.T) {
	build := func(faults ...string) *site {
		return newSite(t, func(a *ASConfig, _ *RSConfig) {
			a.Verify, a.Faults = verifySigned, faults
			a.Clients = append(a.Clients,
				PreClient{ID: "machine", Method: "private_key_jwt", JWKS: []byte(keySet), GrantTypes: []string{"client_credentials"}},
				PreClient{ID: "secretive", Secret: "s", GrantTypes: []string{"client_credentials"}})
		})
	}
	for n, c := range []struct {
		name   string
		claims map[string]any // over the good ones; nil takes a claim away
		form   []string       // over the good ones; "-" takes a field away
		alg    string
		keys   string
		again  bool
		fault  string
		status int
		rule   rules.ID
	}{
		{name: "good", status: 200},
		{name: "without client_id", form: []string{"client_id", "-"}, status: 200},
		{name: "a list as audience", claims: map[string]any{"aud": []string{"https://x.example", issuer}}, status: 200},
		{name: "the token endpoint as audience", claims: map[string]any{"aud": issuer + "/token"}, status: 200},
		{name: "the issuer with a slash", claims: map[string]any{"aud": issuer + "/"}, status: 200},
		{name: "a server that wants the endpoint", fault: "assertion-aud-endpoint", status: 401, rule: rules.ClientauthJWTAud},
		{name: "a server that wants the endpoint and gets it", fault: "assertion-aud-endpoint", claims: map[string]any{"aud": issuer + "/token"}, status: 200},
		{name: "another audience", claims: map[string]any{"aud": "https://other.example"}, status: 401, rule: rules.ClientauthJWTAud},
		{name: "no audience", claims: map[string]any{"aud": nil}, status: 401, rule: rules.ClientauthJWTAud},
		{name: "used before", again: true, status: 401, rule: rules.ClientauthJWTFresh},
		{name: "expired", claims: map[string]any{"exp": noon.Add(-2 * time.Minute).Unix()}, status: 401, rule: rules.ClientauthJWTFresh},
		{name: "long-lived", claims: map[string]any{"exp": noon.Add(time.Hour).Unix()}, status: 401, rule: rules.ClientauthJWTFresh},
		{name: "of the future", claims: map[string]any{"iat": noon.Add(2 * time.Minute).Unix()}, status: 401, rule: rules.ClientauthJWTFresh},
		{name: "no exp", claims: map[string]any{"exp": nil}, status: 401, rule: rules.ClientauthJWTClaims},
		{name: "no jti", claims: map[string]any{"jti": nil}, status: 401, rule: rules.ClientauthJWTClaims},
		{name: "another issuer", claims: map[string]any{"iss": "x"}, status: 401, rule: rules.ClientauthJWTClaims},
		{name: "another client_id", form: []string{"client_id", "x"}, status: 401, rule: rules.ClientauthJWTClaims},
		{name: "an unknown client", claims: map[string]any{"iss": "x", "sub": "x"}, form: []string{"client_id", "-"}, status: 401, rule: rules.ASTokenClientAuth},
		{name: "a client with a secret", claims: map[string]any{"iss": "secretive", "sub": "secretive"}, form: []string{"client_id", "-"}, status: 401, rule: rules.ClientauthMethodFromRegistration},
		{name: "another key", keys: `{}`, status: 401, rule: rules.ClientauthJWTAlg},
		{name: "no signature", alg: "none", status: 401, rule: rules.ClientauthJWTAlg},
		{name: "a shared key", alg: "HS256", status: 401, rule: rules.ClientauthJWTAlg},
		{name: "another type", form: []string{"client_assertion_type", "x"}, status: 401, rule: rules.ClientauthJWTType},
		{name: "no JWT", form: []string{"client_assertion", "x"}, status: 401, rule: rules.ClientauthJWTClaims},
		{name: "a secret beside it", form: []string{"client_secret", "s"}, status: 400, rule: rules.ClientauthOneMethod},
	} {
		h := build()
		if c.fault != "" {
			h = build(c.fault)
		}
		claims := map[string]any{
			"iss": "machine", "sub": "machine", "aud": issuer, "exp": noon.Add(time.Minute).Unix(), "iat": noon.Unix(), "jti": fmt.Sprint(n),
		}
		maps.Copy(claims, c.claims)
		maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
		alg, keys := "EdDSA", keySet
		if c.alg != "" {
			alg = c.alg
		}
		if c.keys != "" {
			keys = c.keys
		}
		fields := map[string]string{
			"grant_type": "client_credentials", "client_id": "machine", "resource": resource,
			"client_assertion_type": assertionType, "client_assertion": signed(alg, claims, keys),
		}
		for i := 0; i < len(c.form); i += 2 {
			fields[c.form[i]] = c.form[i+1]
		}
		req := wire.Request{Method: "POST", URL: issuer + "/token", Header: wire.Fields{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}}
		for name, v := range fields {
			if v != "-" {
				req.Form = append(req.Form, wire.Field{Name: name, Value: v})
			}
		}
		if c.again {
			if r, _ := h.w.AS[0].Judge(h.at, req); r.Status != 200 {
				t.Fatalf("%s, the first time: %d %s", c.name, r.Status, r.Body)
			}
		}
		r, why := h.w.AS[0].Judge(h.at, req)
		if r.Status != c.status || why.Rule != c.rule {
			t.Errorf("%s: %d %s, by %q: %s", c.name, r.Status, r.Body, why.Rule, why.Detail)
		}
		if r.Status == 401 && !strings.Contains(string(r.Body), "invalid_client") {
			t.Errorf("%s: %s", c.name, r.Body)
		}
	}
}

// TestAssertionClientsRegister: with public keys, for the code grant, by
// registration and by document, which may list several methods.
//
// Rules: cimd-methods-array.
func TestAssertionClientsRegister(t *testing.T) {
	h := newSite(t, func(a *ASConfig, _ *RSConfig) { a.Verify = verifySigned })
	if m := h.object(h.get(issuer + "/.well-known/oauth-authorization-server")); !strings.Contains(string(jsonBytes(m["token_endpoint_auth_methods_supported"])), "private_key_jwt") || m["token_endpoint_auth_signing_alg_values_supported"] == nil {
		t.Errorf("metadata: %v", m)
	}
	m := h.register(`{"redirect_uris":["` + back + `"],"token_endpoint_auth_method":"private_key_jwt","jwks":` + keySet + `}`)
	id := m["client_id"].(string)
	if m["client_secret"] != nil {
		t.Errorf("a secret was given: %v", m)
	}
	code := h.code(id)
	without := h.exchange(id, code)
	assertion := signed("EdDSA", map[string]any{"iss": id, "sub": id, "aud": issuer, "exp": h.at.Add(time.Minute).Unix(), "jti": "1"}, keySet)
	with := h.post(issuer+"/token", "grant_type", "authorization_code", "code", code, "redirect_uri", back, "code_verifier", verifier,
		"client_assertion_type", assertionType, "client_assertion", assertion)
	if without.Status != 401 || with.Status != 200 {
		t.Errorf("without assertion %d, with it %d %s", without.Status, with.Status, with.Body)
	}
	for _, body := range []string{
		`{"redirect_uris":["` + back + `"],"token_endpoint_auth_method":"private_key_jwt"}`,
		`{"redirect_uris":["` + back + `"],"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[]}}`,
		`{"redirect_uris":["` + back + `"],"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"OKP","x":"A","d":"B"}]}}`,
		`{"redirect_uris":["` + back + `"],"token_endpoint_auth_method":"none","jwks":` + keySet + `}`,
	} {
		r := h.do(wire.Request{Method: "POST", URL: issuer + "/register", Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body)})
		if r.Status != 400 {
			t.Errorf("%s: %d", body, r.Status)
		}
	}
	const document = "https://client.example/app.json"
	learn := func(body string) error {
		return h.w.AS[0].Learn(h.at, document, wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body)})
	}
	good := `{"client_id":"` + document + `","client_name":"x","redirect_uris":["` + back + `"],"token_endpoint_auth_method":"private_key_jwt","jwks":` + keySet + `}`
	if err := learn(good); err != nil {
		t.Error(err)
	}
	if err := learn(strings.Replace(good, `"jwks"`, `"jwks_uri_or_so"`, 1)); err == nil {
		t.Error("a document without keys was taken")
	}
	several := strings.Replace(good, `"jwks"`, `"token_endpoint_auth_methods_supported":["tls_client_auth","none","private_key_jwt"],"jwks"`, 1)
	for _, c := range []struct{ name, body, method string }{
		{"the single member's", several, "private_key_jwt"},
		{"the first that is known", strings.Replace(several, `"token_endpoint_auth_method":"private_key_jwt",`, "", 1), "none"},
		{"a single member that is not listed", strings.Replace(several, `,"private_key_jwt"]`, `]`, 1), ""},
		{"none that is known", strings.Replace(strings.Replace(several, `,"none","private_key_jwt"]`, `]`, 1), `"token_endpoint_auth_method":"private_key_jwt",`, "", 1), ""},
		{"an empty list", strings.Replace(strings.Replace(several, `"tls_client_auth","none","private_key_jwt"`, ``, 1), `"token_endpoint_auth_method":"private_key_jwt",`, "", 1), ""},
	} {
		if err := learn(c.body); (err != nil) != (c.method == "") {
			t.Errorf("%s: %v", c.name, err)
		}
		if k := h.w.AS[0].client(document); (k == nil) != (c.method == "") || k != nil && k.Method != c.method {
			t.Errorf("%s: %+v", c.name, k)
		}
	}
}
