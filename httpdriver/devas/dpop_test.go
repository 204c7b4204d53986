package devas_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// TestTokensAreBound: over HTTP, with proofs signed by go-jose, a token is bound to its
// key, by introspection and as a JWT, and each server wants its own nonce. The servers
// judge alike with a fault set, where the pure peer takes the guard's place.
func TestTokensAreBound(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	for n, c := range []struct {
		jwt    bool
		faults []string
	}{{false, nil}, {true, nil}, {false, []string{"scope-403-no-scope"}}} {
		s := newSite(t, func(a *devas.ASConfig, r *devas.RSConfig) {
			a.DPoP, r.DPoP, a.DPoPNonces, r.DPoPNonces = peer.DPoPOffered, peer.DPoPOffered, true, true
			a.Clients = append(a.Clients, peer.PreClient{ID: "machine", Secret: "s", GrantTypes: []string{"client_credentials"}})
			r.Faults = c.faults
			if !c.jwt {
				return
			}
			a.JWT = true
			keys, err := bearer.NewKeySet(bearer.KeySetConfig{URL: a.Issuer + "/jwks.json"})
			if err != nil {
				t.Fatal(err)
			}
			if r.Verifier, err = bearer.NewJWT(bearer.JWTConfig{Keys: keys}); err != nil {
				t.Fatal(err)
			}
		})
		made := 0
		prove := func(to, nonce, token string) string {
			made++
			claims := map[string]any{"jti": fmt.Sprint(n, made), "htm": "POST", "htu": to, "iat": time.Now().Unix(), "nonce": nonce}
			if token != "" {
				sum := sha256.Sum256([]byte(token))
				claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
			}
			text, err := jwt.Signed(signer).Claims(claims).Serialize()
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		ask := func(nonce string) answer {
			return s.do("POST", s.issuer+"/token", "grant_type=client_credentials&client_id=machine&client_secret=s&resource="+s.resource,
				"Content-Type", "application/x-www-form-urlencoded", "DPoP", prove(s.issuer+"/token", nonce, ""))
		}
		a := ask("")
		nonce := a.header.Get("DPoP-Nonce")
		if a.status != 400 || a.json(t)["error"] != "use_dpop_nonce" || nonce == "" {
			t.Fatalf("without a nonce: %d %s", a.status, a.body)
		}
		m := ask(nonce).json(t)
		access, _ := m["access_token"].(string)
		if m["token_type"] != "DPoP" {
			t.Fatalf("%v", m)
		}
		if c, err := s.as.Verifier().Verify(t.Context(), access); err != nil || c.Type != "DPoP" || c.Thumbprint == "" {
			t.Errorf("in process: %+v %v", c, err)
		}
		if a := s.call("get_time", "Authorization", "Bearer "+access); a.status != 401 {
			t.Errorf("as bearer: %d %s", a.status, a.body)
		}
		call := func(nonce string) answer {
			return s.call("get_time", "Authorization", "DPoP "+access, "DPoP", prove(s.resource, nonce, access))
		}
		a = call(nonce)
		if nonce = a.header.Get("DPoP-Nonce"); a.status != 401 || nonce == "" {
			t.Errorf("with the issuer's nonce: %d %s", a.status, a.body)
		}
		if a := call(nonce); a.status != 200 {
			t.Errorf("with the resource's nonce: %d %s", a.status, a.body)
		}
	}
}
