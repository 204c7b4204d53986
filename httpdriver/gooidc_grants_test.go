package httpdriver_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// withDevices makes the independent issuer ask the user at another device; it grants at
// once.
func withDevices(policy goidc.AuthnPolicy) provider.Option {
	page := func(w http.ResponseWriter, _ *http.Request) error { _, err := w.Write([]byte("done")); return err }
	return provider.WithDeviceGrant(provider.DeviceGrantConfig{PromptFunc: page, ConfirmationFunc: page}, provider.WithDevicePolicies(policy))
}

// assertions are those that the independent issuer was given; whoever signed them, it
// takes them once.
type assertions struct {
	mu   sync.Mutex
	seen []string
}

func (a *assertions) take(_ context.Context, jws string) (goidc.JWTBearerResult, error) {
	parsed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.EdDSA, jose.RS256, jose.ES256})
	if err != nil {
		return goidc.JWTBearerResult{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.seen {
		if s == jws {
			return goidc.JWTBearerResult{}, goidc.NewError(goidc.ErrorCodeInvalidGrant, "it was used before")
		}
	}
	a.seen = append(a.seen, jws)
	var claims struct {
		Sub string `json:"sub"`
	}
	err = json.Unmarshal(parsed.UnsafePayloadWithoutVerification(), &claims)
	return goidc.JWTBearerResult{Subject: claims.Sub}, err
}

// TestIndependentDevice: the user decides at another device, before an issuer that nobody
// here wrote; the token is bound to a key.
func TestIndependentDevice(t *testing.T) {
	w := newIndependent(t, &goidc.Client{ID: "tv", ClientMeta: goidc.ClientMeta{
		GrantTypes: []goidc.GrantType{goidc.GrantDeviceCode, goidc.GrantRefreshToken}, TokenAuthnMethod: goidc.AuthnMethodNone, ScopeIDs: "user admin offline_access",
	}})
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Policy.Grant, o.Policy.Binding = states.DeviceGrant, states.RequireBinding
		o.Policy.Client = &states.Configured{Issuer: w.ASURL, ID: "tv"}
		o.Show = func(_ httpdriver.Account, s states.Show) {
			resp, err := http.Get(s.URL + "?user_code=" + url.QueryEscape(s.UserCode.Reveal()))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("the page for the code: %v, %v", resp, err)
				return
			}
			_ = resp.Body.Close()
		}
	})
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err, w.Tap.list())
	}
	c := w.client(t, d)
	w.call(t, c)
	tok, err := d.Token(t.Context(), w.account())
	if err != nil || tok.Type() != "DPoP" {
		t.Fatalf("%v, %v", tok, err)
	}
	if n := w.asked(string(states.DeviceGrant)); n < 1 {
		t.Errorf("%s", w.Tap.list())
	}
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Error(err)
	}
}

// TestIndependentWorkload: a workload's assertion is exchanged, and another for each
// further token.
func TestIndependentWorkload(t *testing.T) {
	w := newIndependent(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	given := 0
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Policy.Grant, o.Policy.Issuer = states.WorkloadGrant, w.ASURL
		o.Workload = func(_ context.Context, _ httpdriver.Account, audiences []string) (string, error) {
			given++
			claims, err := json.Marshal(map[string]any{"iss": "https://platform.example", "sub": "job", "aud": audiences[0], "jti": given, "exp": w.Clock.Now().Add(time.Hour).Unix()})
			if err != nil {
				return "", err
			}
			signed, err := signer.Sign(claims)
			if err != nil {
				return "", err
			}
			return signed.CompactSerialize()
		}
	})
	c := w.client(t, d)
	w.call(t, c)
	w.Clock.forward(2 * time.Hour)
	w.call(t, c)
	if given != 2 || w.asked(string(states.WorkloadGrant)) != 2 {
		t.Errorf("%d assertions:%s", given, w.Tap.list())
	}
	for _, s := range w.Tap.requests() {
		if s.form("grant_type") != "" && (s.form("client_id") != "" || s.form("resource") != w.Server) {
			t.Errorf("%s", s.Body)
		}
	}
}

// TestIndependentEnterprise: an ID-JAG goes to an issuer that nobody here wrote, once, and
// the next token has another.
func TestIndependentEnterprise(t *testing.T) {
	company, c, options := enterprise(t)
	w := newIndependent(t, &goidc.Client{ID: devas.EnterpriseClientID, Secret: devas.EnterpriseSecret, ClientMeta: goidc.ClientMeta{
		GrantTypes: []goidc.GrantType{goidc.GrantJWTBearer}, TokenAuthnMethod: goidc.AuthnMethodSecretBasic, ScopeIDs: "user",
	}})
	w.Clock = company.Clock
	d := w.driver(t, options, func(o *httpdriver.Options) {
		o.Policy.Client = &states.Configured{ID: devas.EnterpriseClientID, Secret: wire.Secret(devas.EnterpriseSecret), Issuer: w.ASURL}
		o.Policy.Binding = states.RequireBinding
	})
	client := w.client(t, d)
	w.call(t, client)
	if tok, err := d.Token(t.Context(), w.account()); err != nil || tok.Type() != "DPoP" {
		t.Errorf("%v, %v", tok, err)
	}
	if !strings.Contains(strings.Join(c.grants(), " "), "token-exchange") {
		t.Error("the provider was not asked")
	}
	if err := w.op.RevokeToken(t.Context(), heldToken(t, d, w)); err != nil {
		t.Fatal(err)
	}
	w.call(t, client)
	if w.asked(string(states.WorkloadGrant)) != 2 {
		t.Errorf("%s", w.Tap.list())
	}
}

// asked counts the token requests of a grant.
func (w *independent) asked(grant string) (n int) {
	for _, s := range w.Tap.requests() {
		if s.To == "oidc" && s.form("grant_type") == grant {
			n++
		}
	}
	return n
}

func heldToken(t *testing.T, d *httpdriver.Driver, w *independent) string {
	t.Helper()
	tok, err := d.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	return tok.AccessToken
}
