package httpdriver_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// independent is a world whose authorization server was written by nobody
// here: OpenID Connect discovery, registration, PKCE, rotation, RFC 9207,
// resource indicators, revocation.
type independent struct {
	*world
	op *provider.Provider
}

func newIndependent(t *testing.T, clients ...*goidc.Client) *independent {
	t.Helper()
	w := newWorld(t)
	as, issuer := w.listen("oidc")
	rs, origin := w.listen("rs")
	w.ASURL, w.Server = issuer, origin+"/mcp"
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	jwks := goidc.JSONWebKeySet{Keys: []goidc.JSONWebKey{{Key: key, KeyID: "one", Algorithm: "RS256", Use: "sig"}}}
	consent := goidc.NewPolicy("consent",
		func(*http.Request, *goidc.AuthnSession, *goidc.Client) bool { return true },
		func(_ http.ResponseWriter, _ *http.Request, s *goidc.AuthnSession, _ *goidc.Client) (goidc.Status, error) {
			s.Subject, s.GrantedScopes, s.GrantedResources = "alice", s.Scopes, s.Resources
			return goidc.StatusSuccess, nil
		})
	own := func(context.Context, *goidc.Client) bool { return true }
	var jtis sync.Map
	options := []provider.Option{
		provider.WithScopes(goidc.NewScope("user"), goidc.NewScope("admin"), goidc.ScopeOfflineAccess),
		provider.WithNoneAuthn(), provider.WithSecretBasicAuthn(), provider.WithSecretPostAuthn(),
		provider.WithPrivateKeyJWTAuthn(goidc.SigAlgES256), provider.WithClientCredentialsGrant(),
		provider.WithAuthCodeGrant(
			provider.AuthCodeGrantConfig{ResponseTypes: []goidc.ResponseType{goidc.ResponseTypeCode}},
			provider.WithIssuerResponseParameter(),
			provider.WithPKCE([]goidc.CodeChallengeMethod{goidc.CodeChallengeMethodSHA256}, provider.WithPKCERequired()),
			provider.WithAuthPolicies(consent),
		),
		provider.WithRefreshTokenGrant(nil, provider.WithRefreshTokenRotation()),
		withDevices(consent), provider.WithJWTBearerGrant((&assertions{}).take),
		provider.WithDCR(nil), provider.WithDPoP([]goidc.SignatureAlgorithm{goidc.SigAlgES256}),
		provider.WithTokenOptions(
			func(context.Context, *goidc.Grant, *goidc.Client) goidc.TokenOptions {
				return goidc.NewOpaqueTokenOptions(3600)
			},
			provider.WithOpaqueTokens(nil)),
		provider.WithTokenRevocation(own),
		provider.WithResourceIndicators([]goidc.ResourceIndicator{w.Server}, provider.WithResourceIndicatorsRequired()),
		provider.WithJTIConsumer(func(_ context.Context, jti string) error {
			if _, used := jtis.LoadOrStore(jti, true); used {
				return errors.New("the jti was used before")
			}
			return nil
		}),
	}
	if len(clients) > 0 {
		options = append(options, provider.WithStaticClients(clients...))
	}
	op, err := provider.New(provider.Config{
		Issuer: issuer, IDTokenAlgs: []goidc.SignatureAlgorithm{goidc.SigAlgRS256},
		JWKS: func(context.Context) (goidc.JSONWebKeySet, error) { return jwks, nil },
	}, options...)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := bearer.New(bearer.Config{
		Policy: bearer.Policy{Resource: w.Server, Issuers: []string{issuer}, Scopes: []string{"user"}, AllowMissingIssuer: true},
		Verifier: bearer.VerifierFunc(func(ctx context.Context, token string) (bearer.Claims, error) {
			in, _, err := op.Introspect(ctx, token)
			if err != nil || !in.IsActive {
				return bearer.Claims{}, bearer.ErrInvalidToken
			}
			thumbprint := ""
			if in.Confirmation != nil {
				thumbprint = in.Confirmation.JWKThumbprint
			}
			return bearer.Claims{
				Thumbprint: thumbprint, Subject: in.Subject, ClientID: in.ClientID, Scopes: strings.Fields(in.Scopes), Audience: in.ResourceAudiences,
				Expires: time.Unix(int64(in.ExpiresAt), 0),
			}, nil
		}),
		Tools: []bearer.ToolScopes{{Tool: "admin", Scopes: []string{"admin"}}},
		DPoP:  &bearer.DPoP{},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	guard.Mount(mux, http.HandlerFunc(echo))
	as(op.Handler())
	rs(mux)
	return &independent{w, op}
}

// live takes a credential through its life there.
func (w *independent) live(t *testing.T, d *httpdriver.Driver, stepUp func(*http.Client)) {
	t.Helper()
	c := w.client(t, d)
	w.call(t, c)
	if w.Tap.count("oidc", "/.well-known/openid-configuration") != 1 {
		t.Errorf("discovery:%s", w.Tap.list())
	}
	tokens := func(kind string) (out []sent) {
		for _, s := range w.Tap.requests() {
			if s.To == "oidc" && s.form("grant_type") == kind {
				out = append(out, s)
			}
		}
		return out
	}
	codes := tokens("authorization_code")
	if len(codes) != 1 || len(codes[0].form("code_verifier")) < 43 || codes[0].form("resource") != w.Server {
		t.Fatalf("the exchange: %v", codes)
	}

	w.Clock.forward(2 * time.Hour) // on the driver's clock
	w.call(t, c)
	w.Clock.forward(2 * time.Hour)
	w.call(t, c)
	spent := tokens("refresh_token")
	if len(spent) != 2 || spent[0].form("refresh_token") == spent[1].form("refresh_token") || spent[1].form("resource") != w.Server {
		t.Errorf("the refresh tokens did not rotate: %v", spent)
	}

	tok, err := d.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.op.RevokeToken(t.Context(), tok.AccessToken); err != nil {
		t.Fatal(err)
	}
	w.call(t, c)

	stepUp(c)

	// A restart, from the store alone.
	w.Tap.reset()
	again := w.driver(t, func(o *httpdriver.Options) {
		o.Host = httpdriver.UserAgent(func(context.Context, httpdriver.Visit) (string, error) {
			t.Error("a user was asked after the restart")
			return "", context.Canceled
		})
	})
	w.call(t, w.client(t, again))
	w.exactly(t, 1)

	tok, err = d.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	if in, _, err := w.op.Introspect(t.Context(), tok.AccessToken); err == nil && in.IsActive {
		t.Error("the token is still active after the logout")
	}
}

// TestIndependentRegistered: dynamic registration, with the https redirect URI
// of a web application (this server matches no native one that has a port).
func TestIndependentRegistered(t *testing.T) {
	w := newIndependent(t)
	d := w.driver(t, func(o *httpdriver.Options) { o.Policy.Redirects = []string{webCallback} })
	w.live(t, d, func(c *http.Client) {
		// This server binds the scopes of a client when it registers: a step-up
		// beyond them registers anew.
		if status, body, err := w.post(t.Context(), c, admin); err != nil || status != http.StatusOK {
			t.Errorf("step-up: status %d, body %q, error %v", status, body, err)
		}
		w.call(t, c)
		// The grant of the client before is revoked beside the requests (docs/decision-tables.md#t9).
		until(t, "both tokens of the former client are revoked", func() bool { return w.Tap.count("oidc", "/revoke") == 2 })
	})
}

// TestIndependentConfigured: a client that was registered by hand, with a
// secret, and a redirect to loopback on any port (RFC 8252 §7.3). This server
// takes Basic credentials as they are, without the form encoding of RFC 6749
// §2.3.1: what has to be encoded needs the quirk basic-raw.
func TestIndependentConfigured(t *testing.T) {
	for _, c := range []struct {
		id, secret, method string
		quirks             []states.Quirk
	}{
		{"by-hand", "a_secret-without.anything~special", "client_secret_basic", nil},
		{"by hand/1", "a secret+ of the % client", "client_secret_basic", []states.Quirk{{Name: "basic-raw"}}},
		{"by hand/1", "a secret: of + the % client", "client_secret_post", nil},
	} {
		t.Run(c.method+" "+c.id, func(t *testing.T) {
			w := newIndependent(t, &goidc.Client{ID: c.id, Secret: c.secret, ClientMeta: goidc.ClientMeta{
				ApplicationType: goidc.ApplicationTypeNative, RedirectURIs: []string{"http://127.0.0.1/callback"},
				GrantTypes:       []goidc.GrantType{goidc.GrantAuthorizationCode, goidc.GrantRefreshToken},
				ResponseTypes:    []goidc.ResponseType{goidc.ResponseTypeCode},
				TokenAuthnMethod: goidc.AuthnMethod(c.method), ScopeIDs: "user admin offline_access",
			}})
			d := w.driver(t, func(o *httpdriver.Options) {
				o.Policy.Client = &states.Configured{Issuer: w.ASURL, ID: c.id, Secret: wire.Secret(c.secret), Method: c.method}
				o.Policy.Quirks = c.quirks
			})
			w.live(t, d, func(c *http.Client) {
				if status, body, err := w.post(t.Context(), c, admin); err != nil || status != 200 {
					t.Fatalf("step-up: %d %q %v", status, body, err)
				}
				st, err := d.Status(t.Context(), w.account())
				if err != nil || !slices.Contains(st.Scopes, "admin") || !slices.Contains(st.Scopes, "user") {
					t.Errorf("%+v %v", st, err)
				}
			})
			for _, s := range w.Tap.requests() {
				if s.To != "oidc" || s.Method != http.MethodPost {
					continue
				}
				basic := strings.HasPrefix(s.Header.Get("Authorization"), "Basic ")
				if basic != (c.method == "client_secret_basic") || basic == (s.form("client_secret") != "") {
					t.Errorf("%v is not authenticated by %s and nothing else", s, c.method)
				}
			}
		})
	}
}
