package model

import (
	"fmt"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Provider is the identity provider of a company in stories, and Company is the name of
// the client there. At the issuer the same client is named app.
const (
	Provider      = "https://idp.example"
	Company       = "company"
	CompanySecret = "the secret of the company"
	AppSecret     = "the secret of the app"
)

// Enterprise makes a client belong to that company.
func Enterprise(c *states.Config) {
	c.Grant = states.EnterpriseGrant
	c.Client = &states.Configured{ID: "app", Secret: AppSecret, Issuer: Issuer}
	c.Provider = &states.Configured{ID: Company, Secret: CompanySecret, Issuer: Provider}
}

// Trusting makes the issuer of a story accept what the provider says, and returns the
// provider.
func Trusting(a *peer.ASConfig) peer.ASConfig {
	a.Verify, a.Trusted = Verify, []peer.Trusted{{Issuer: Provider, JWKS: Keys()}}
	a.Clients = append(a.Clients, peer.PreClient{ID: "app", Secret: AppSecret, GrantTypes: []string{string(states.WorkloadGrant)}})
	return peer.ASConfig{
		Issuer: Provider, Seed: []byte("provider"), AutoConsent: true, Identity: true, RefreshRotation: true, Iss: true, OfflineAccess: true,
		Sign: signed, SignAlg: "EdDSA", SignKeyID: "story-key", JWKS: Keys(), Verify: Verify,
		Users: []peer.User{{Name: "ann", Password: "open sesame"}},
		Clients: []peer.PreClient{{
			ID: Company, Secret: CompanySecret, RedirectURIs: []string{Callback, "http://127.0.0.1/callback"},
			GrantTypes: []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"},
			Elsewhere:  map[string]string{Issuer: "app"},
		}},
	}
}

// identity is the ID token that the story's provider gives about its user. It is valid
// for ten minutes.
func identity(q states.Assert, at time.Time) states.Input {
	claims := fmt.Sprintf(`{"iss":%q,"sub":"ann","aud":%q,"iat":%d,"exp":%d}`, q.Provider, q.Audiences[0], at.Unix(), at.Add(10*time.Minute).Unix())
	return states.Signed{Serial: q.Serial, JWS: wire.Secret(signed([]byte(`{"alg":"EdDSA","typ":"JWT","kid":"story-key"}`), []byte(claims)))}
}

// Grant is an ID-JAG from the story's provider.
func Grant(at time.Time, issuer, client, resource string, number int) string {
	claims := fmt.Sprintf(`{"iss":%q,"sub":"ann","aud":%q,"client_id":%q,"resource":%q,"iat":%d,"exp":%d,"jti":"%d"}`,
		Provider, issuer, client, resource, at.Unix(), at.Add(5*time.Minute).Unix(), number)
	return signed([]byte(`{"alg":"EdDSA","typ":"oauth-id-jag+jwt","kid":"story-key"}`), []byte(claims))
}
