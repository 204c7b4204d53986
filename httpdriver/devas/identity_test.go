package devas_test

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/guard"
)

// An identity provider and a server that trusts it, over HTTP: the keys are fetched from
// the provider, go-jose reads what it signs, and a workload of another platform gets its
// token as well.
func TestIdentityProvider(t *testing.T) {
	g, err := guard.New(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ln := listen(t)
	provider := "http://" + ln.Addr().String()
	config := devas.DefaultIdP(provider)
	config.AutoConsent, config.Clients[0].RedirectURIs = true, []string{back}
	idp, err := devas.NewAS(config)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln, idp)
	platform, err := devas.NewKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) {
		a.FetchKeys = devas.FetchKeys(g, true)
		a.Trust(provider, false)
		a.Trusted = append(a.Trusted, peer.Trusted{Issuer: "https://platform.example", JWKS: platform.JWKS, Workloads: true})
	})
	here := s.issuer
	s.issuer = provider
	q := url.Values{
		"response_type": {"code"}, "client_id": {devas.EnterpriseClientID}, "redirect_uri": {back}, "scope": {"openid"},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	code := s.do("GET", provider+"/authorize?"+q.Encode(), "").location().Get("code")
	login := s.form("/token", "grant_type", "authorization_code", "code", code, "redirect_uri", back, "code_verifier", verifier,
		"client_id", devas.EnterpriseClientID, "client_secret", devas.EnterpriseIdPSecret).json(t)
	idToken, _ := login["id_token"].(string)
	exchanged := s.form("/token", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange",
		"requested_token_type", "urn:ietf:params:oauth:token-type:id-jag", "subject_token", idToken,
		"subject_token_type", "urn:ietf:params:oauth:token-type:id_token", "audience", here, "resource", s.resource,
		"client_id", devas.EnterpriseClientID, "client_secret", devas.EnterpriseIdPSecret).json(t)
	jag, _ := exchanged["access_token"].(string)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(s.do("GET", provider+"/jwks.json", "").body), &set); err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(jag, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		jwt.Claims
		ClientID string `json:"client_id"`
		Resource string `json:"resource"`
	}
	if err := parsed.Claims(&set, &claims); err != nil {
		t.Fatal(err)
	}
	if err := claims.Validate(jwt.Expected{Issuer: provider, Subject: devas.DemoUser, AnyAudience: jwt.Audience{here}, Time: time.Now()}); err != nil {
		t.Error(err)
	}
	if typ := parsed.Headers[0].ExtraHeaders["typ"]; typ != "oauth-id-jag+jwt" || claims.ClientID != devas.EnterpriseClientID || claims.Resource != s.resource {
		t.Errorf("typ %v, %+v", typ, claims)
	}
	s.issuer = here
	redeem := func() answer {
		return s.form("/token", "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", jag,
			"client_id", devas.EnterpriseClientID, "client_secret", devas.EnterpriseSecret)
	}
	if access, _ := redeem().json(t)["access_token"].(string); access == "" || s.call("get_time", "Authorization", "Bearer "+access).status != 200 {
		t.Errorf("no call with the token %q", access)
	}
	if a := redeem(); a.status != 400 || a.json(t)["error"] != "invalid_grant" {
		t.Errorf("the ID-JAG again: %d", a.status)
	}
	says, err := json.Marshal(jwt.Claims{
		Issuer: "https://platform.example", Subject: "job", Audience: jwt.Audience{here + "/token"}, ID: "1", Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	})
	if err != nil {
		t.Fatal(err)
	}
	assertion := platform.Sign([]byte(`{"alg":"EdDSA","kid":"`+platform.ID+`"}`), says)
	a := s.form("/token", "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", assertion, "resource", s.resource)
	if access, _ := a.json(t)["access_token"].(string); access == "" || s.call("get_time", "Authorization", "Bearer "+access).status != 200 {
		t.Errorf("a workload: %d", a.status)
	}
}
