package devas_test

import (
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// TestDeviceLogsIn: x/oauth2, which is not our code, gets a token by the device
// grant while the user decides at the pages.
func TestDeviceLogsIn(t *testing.T) {
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) { a.AutoConsent = false })
	body, err := json.Marshal(map[string]any{
		"client_name": "<b>tv</b>", "token_endpoint_auth_method": "none",
		"grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"},
	})
	if err != nil {
		t.Fatal(err)
	}
	client, _ := s.do("POST", s.issuer+"/register", string(body), "Content-Type", "application/json").json(t)["client_id"].(string)
	config := oauth2.Config{ClientID: client, Scopes: []string{"user"}, Endpoint: oauth2.Endpoint{
		TokenURL: s.issuer + "/token", DeviceAuthURL: s.issuer + "/device_authorization", AuthStyle: oauth2.AuthStyleInParams,
	}}
	d, err := config.DeviceAuth(t.Context(), oauth2.SetAuthURLParam("resource", s.resource))
	if err != nil {
		t.Fatal(err)
	}
	page := s.do("GET", d.VerificationURIComplete, "")
	if page.status != 200 || !strings.Contains(page.body, strings.ReplaceAll(d.UserCode, "-", "")) || !strings.Contains(page.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Fatalf("verification page: %d %s", page.status, page.body)
	}
	if odd := s.do("GET", s.issuer+`/device?user_code=%22%3E%3Cscript%3E`, ""); strings.Contains(odd.body, "<script>") {
		t.Errorf("the page shows what the address holds: %s", odd.body)
	}
	login := s.do("GET", s.form("/device", "user_code", d.UserCode).header.Get("Location"), "")
	good := s.form("/login", append(fields(login.body), "username", "demo_user", "password", "demo_password")...)
	consent := s.do("GET", good.header.Get("Location"), "")
	for _, want := range []string{"the device that showed you the code", "&lt;b&gt;tv", s.resource} {
		if !strings.Contains(consent.body, want) {
			t.Errorf("the consent page does not show %q: %s", want, consent.body)
		}
	}
	if done := s.form("/consent", append(fields(consent.body), "decision", "allow")...); done.status != 200 || !strings.Contains(done.body, "The device has access now") {
		t.Fatalf("consent: %d %s", done.status, done.body)
	}
	d.Interval = 1 // the first poll comes after it, and the user has decided
	token, err := config.DeviceAccessToken(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.call("get_time", "Authorization", "Bearer "+token.AccessToken); a.status == 401 || a.status == 403 || token.RefreshToken == "" {
		t.Errorf("the token: %d %s", a.status, a.body)
	}
}
