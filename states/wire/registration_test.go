package wire

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stile-oauth/stile/states/rules"
)

func TestRegistrationRequest(t *testing.T) {
	r := RegistrationRequest(RegistrationParams{
		Endpoint: "https://as.example/register", Name: `Stile "dev"`, URI: "https://stile.example",
		RedirectURIs: []string{"http://127.0.0.1:1234/callback", "http://localhost:1234/callback"}, ApplicationType: "native", Scope: "a b",
	})
	want := `{"redirect_uris":["http://127.0.0.1:1234/callback","http://localhost:1234/callback"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"client_name":"Stile \"dev\"","client_uri":"https://stile.example","application_type":"native","scope":"a b"}`
	if string(r.Body) != want {
		t.Errorf("body %s", r.Body)
	}
	if !json.Valid(r.Body) {
		t.Error("body is not JSON")
	}
	if got := r.String(); got != `POST https://as.example/register Accept="application/json" Content-Type="application/json" body(`+fmt.Sprint(len(want))+`)` {
		t.Error(got)
	}
	r = RegistrationRequest(RegistrationParams{Endpoint: "https://as.example/register", Method: MethodPost, GrantTypes: []string{"client_credentials"}, InitialToken: "iat", Name: "bad \xff"})
	if string(r.Body) != `{"token_endpoint_auth_method":"client_secret_post","grant_types":["client_credentials"],"response_types":[],"client_name":"bad �"}` {
		t.Errorf("body %s", r.Body)
	}
	if h := r.Header[2]; h.Value != "Bearer iat" || !h.Secret {
		t.Error(h)
	}
}

// TestClientProfile: a registration and a client document contain the same, and a bare
// registration contains only what every issuer needs.
func TestClientProfile(t *testing.T) {
	p := RegistrationParams{
		Name: "Stile", URI: "https://stile.example", RedirectURIs: []string{"http://127.0.0.1/callback"}, ApplicationType: "native", Method: MethodBasic, Scope: "a",
		Profile: ClientProfile{Logo: "https://stile.example/logo.png", Contacts: []string{"ops@stile.example"}, Terms: "https://stile.example/terms",
			Policy: "https://stile.example/privacy", SoftwareID: "stile", SoftwareVersion: "1.2.3"},
	}
	const members = `"redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"client_secret_basic","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"client_name":"Stile","client_uri":"https://stile.example","application_type":"native","scope":"a","logo_uri":"https://stile.example/logo.png","contacts":["ops@stile.example"],"tos_uri":"https://stile.example/terms","policy_uri":"https://stile.example/privacy","software_id":"stile","software_version":"1.2.3"}`
	if got := string(RegistrationRequest(p).Body); got != "{"+members {
		t.Errorf("registration %s", got)
	}
	if got := string(ClientDocument(at("https://stile.example/client.json"), p)); got != `{"client_id":"https://stile.example/client.json",`+members {
		t.Errorf("document %s", got)
	}
	device := RegistrationParams{Name: "Stile", GrantTypes: []string{DeviceGrant}, ApplicationType: "native", Bare: true}
	if got := string(RegistrationRequest(device).Body); got != `{"token_endpoint_auth_method":"none","grant_types":["urn:ietf:params:oauth:grant-type:device_code"],"response_types":[],"client_name":"Stile"}` {
		t.Errorf("bare, and not for codes: %s", got)
	}
	p.Bare = true
	if got := string(RegistrationRequest(p).Body); got != `{"redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"client_secret_basic","client_name":"Stile"}` {
		t.Errorf("bare %s", got)
	}
}

// Rules: dcr-application-type-value.
func TestApplicationType(t *testing.T) {
	for want, uris := range map[string][]string{
		"native": {"http://127.0.0.1:1/cb"},
		"web":    {"https://app.example/cb"},
	} {
		if got := ApplicationType(uris); got != want {
			t.Errorf("%v: %s", uris, got)
		}
	}
	if ApplicationType([]string{"http://[::1]/cb"}) != "native" || ApplicationType([]string{"http://localhost:9/cb"}) != "native" || ApplicationType(nil) != "web" {
		t.Error("ApplicationType")
	}
}

// Rules: dcr-no-silent-copy.
func TestParseRegistration(t *testing.T) {
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	const cb = "http://127.0.0.1:1234/callback"
	p := RegistrationParams{Endpoint: "https://as.example/register", RedirectURIs: []string{cb}}
	public := Client{ID: "c1", Method: MethodNone, Source: SourceDynamic, RedirectURIs: []string{cb}}
	secret := func(f func(*Client)) Client {
		c := Client{ID: "c1", Secret: "sec", Method: MethodPost, Source: SourceDynamic, RedirectURIs: []string{cb}}
		if f != nil {
			f(&c)
		}
		return c
	}
	created := func(body string) Response { return answer(201, body) }
	post := `{"client_id":"c1","client_secret":"sec","token_endpoint_auth_method":"client_secret_post"`
	none := Client{}
	for _, tc := range []struct {
		name    string
		r       Response
		listed  []string
		rule    rules.ID
		refuses bool
		want    Client
		note    []rules.ID
	}{
		{"public", created(`{"client_id":"c1","token_endpoint_auth_method":"none","redirect_uris":["` + cb + `"]}`), nil, "", false, public, nil},
		{"200", answer(200, `{"client_id":"c1","token_endpoint_auth_method":"none"}`), nil, "", false, public, []rules.ID{rules.DCRResponse201}},
		{"method not said", created(`{"client_id":"c1"}`), nil, "", false, public, []rules.ID{rules.DCRResponseComplete}},
		{"method and secret not asked for", created(post + `,"client_secret_expires_at":0}`), nil, "", false, secret(nil), nil},
		{"secret without method: inferred", created(`{"client_id":"c1","client_secret":"sec","client_secret_expires_at":0}`), nil, "", false, secret(func(c *Client) { c.Method, c.Inferred = MethodBasic, true }), []rules.ID{rules.DCRResponseComplete}},
		{"none, yet a secret", created(`{"client_id":"c1","client_secret":"sec","client_secret_expires_at":0,"token_endpoint_auth_method":"none"}`), nil, "", false, secret(func(c *Client) { c.Method, c.Inferred = MethodNone, true }), []rules.ID{rules.DCRMethodSecretConsistent}},
		{"secret method without secret", created(`{"client_id":"c1","token_endpoint_auth_method":"client_secret_basic"}`), []string{"client_secret_basic"}, rules.DCRMethodSecretConsistent, true, none, nil},
		{"secret method without secret, none listed", created(`{"client_id":"c1","token_endpoint_auth_method":"client_secret_basic"}`), []string{"none"}, "", false, public, []rules.ID{rules.DCRMethodSecretConsistent}},
		{"a method that needs a key", created(`{"client_id":"c1","token_endpoint_auth_method":"private_key_jwt"}`), nil, rules.ClientauthMTLSUnsupported, true, none, nil},

		{"expiry absent", created(post + `}`), nil, "", false, secret(nil), []rules.ID{rules.DCRSecretExpiresAt}},
		{"expiry ahead", created(post + `,"client_secret_expires_at":1795262401}`), nil, "", false, secret(func(c *Client) { c.SecretExpires = at.Add(time.Second) }), nil},
		{"expiry as a string", created(post + `,"client_secret_expires_at":"1795262401"}`), nil, "", false, secret(func(c *Client) { c.SecretExpires = at.Add(time.Second) }), []rules.ID{rules.DCRSecretExpiresAt}},
		{"expired", created(post + `,"client_secret_expires_at":1795262400}`), nil, rules.DCRSecretExpired, true, none, nil},
		{"expiry negative", created(post + `,"client_secret_expires_at":-1}`), nil, "", false, secret(nil), []rules.ID{rules.DCRSecretExpiresAt}},
		{"expiry beyond all years", created(post + `,"client_secret_expires_at":1e300}`), nil, "", false, secret(nil), []rules.ID{rules.DCRSecretExpiresAt}},
		{"expiry of a public client", created(`{"client_id":"c1","token_endpoint_auth_method":"none","client_secret_expires_at":1}`), nil, "", false, public, nil},

		{"no client_id", created(`{"token_endpoint_auth_method":"none"}`), nil, rules.DCRResponseClientID, true, none, nil},
		{"empty client_id", created(`{"client_id":""}`), nil, rules.DCRResponseClientID, true, none, nil},
		{"client_id number", created(`{"client_id":7}`), nil, rules.DCRResponseClientID, true, none, nil},
		{"client_id beyond ASCII", created(`{"client_id":"é"}`), nil, rules.DCRResponseClientID, true, none, nil},
		{"client_id with a line break", created(`{"client_id":"a\r\nX: y"}`), nil, rules.DCRResponseClientID, true, none, nil},
		{"secret with a control character", created(`{"client_id":"c1","client_secret":"a\u0000"}`), nil, rules.DCRErrorShape, true, none, nil},
		{"redirect dropped", created(`{"client_id":"c1","token_endpoint_auth_method":"none","redirect_uris":["https://evil.example/cb"]}`), nil, rules.DCRResponseRedirectKept, true, none, nil},
		{"redirect with another port", created(`{"client_id":"c1","token_endpoint_auth_method":"none","redirect_uris":["http://127.0.0.1/callback"]}`), nil, rules.DCRResponseRedirectKept, true, none, nil},
		{"redirect null", created(`{"client_id":"c1","token_endpoint_auth_method":"none","redirect_uris":null}`), nil, "", false, public, nil},
		{"grant taken away", created(`{"client_id":"c1","token_endpoint_auth_method":"none","grant_types":["client_credentials"]}`), nil, "", false, public, []rules.ID{rules.DCRResponseAuthoritative}},
		{"nothing of the record (dcr-no-silent-copy)", created(`{"client_id":"c1","token_endpoint_auth_method":"none","issuer":"https://evil.example","token_endpoint":"https://evil.example/t","access_token":"x"}`), nil, "", false, public, nil},
		{"management", created(`{"client_id":"c1","token_endpoint_auth_method":"none","registration_access_token":"rt","registration_client_uri":"https://as.example/register/c1"}`), nil, "", false,
			Client{ID: "c1", Method: MethodNone, Source: SourceDynamic, RedirectURIs: []string{cb}, RegistrationToken: "rt", RegistrationURI: "https://as.example/register/c1"}, nil},
		{"management over http", created(`{"client_id":"c1","token_endpoint_auth_method":"none","registration_access_token":"rt","registration_client_uri":"http://as.example/register/c1"}`), nil, "", false, public, []rules.ID{rules.DCRManagementSecret}},

		{"invalid_redirect_uri", answer(400, `{"error":"invalid_redirect_uri","error_description":"no"}`), nil, rules.DCRFailureHandled, false, none, nil},
		{"error with 200", answer(200, `{"error":"invalid_client_metadata"}`), nil, rules.DCRFailureHandled, false, none, nil},
		{"400 with HTML", answer(400, `<html>`), nil, rules.DCRErrorShape, false, none, nil},
		{"401", answer(401, ``), nil, rules.DCRInitialAccessToken, false, none, nil},
		{"404", answer(404, ``), nil, rules.DCRErrorShape, false, none, nil},
		{"500", answer(500, `{"error":"invalid_client_metadata"}`), nil, rules.DCRErrorShape, false, none, nil},
		{"307", answer(307, ``), nil, rules.NetRedirectPost, true, none, nil},
		{"HTML with 200", answer(200, `<html>`), nil, rules.DCRErrorShape, true, none, nil},
		{"duplicate", created(`{"client_id":"a","client_id":"b"}`), nil, rules.DCRErrorShape, true, none, nil},
		{"too long", Response{Status: 201, Oversized: true, Body: []byte(`{"client_id":"a"}`)}, nil, rules.NetSizeLimit, true, none, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, found, bad := ParseRegistration(tc.r, p, tc.listed, at)
			breaks(t, bad, tc.rule, tc.refuses)
			if diff := cmp.Diff(reveal(tc.want), reveal(got)); diff != "" {
				t.Error(diff)
			}
			notes(t, found, tc.note...)
			if bad != nil && bad.Rule == rules.DCRFailureHandled && bad.OAuth == nil {
				t.Error("the error response is lost")
			}
			if s := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(s, "sec\"") || strings.Contains(s, "rt\"") {
				t.Errorf("printing shows a secret: %s", s)
			}
		})
	}
}

// reveal makes the secrets of a client comparable.
func reveal(c Client) any {
	type open struct {
		C             Client
		Secret, Token string
	}
	o := open{c, c.Secret.Reveal(), c.RegistrationToken.Reveal()}
	o.C.Secret, o.C.RegistrationToken = "", ""
	return o
}
