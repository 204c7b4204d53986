package devas_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// TestClientsSignAssertions: client credentials with private_key_jwt, signed by
// go-jose with every algorithm that is offered; the token is good at the
// resource.
func TestClientsSignAssertions(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := []struct {
		alg jose.SignatureAlgorithm
		key crypto.Signer
	}{{jose.EdDSA, ed}, {jose.ES256, ec}, {jose.RS256, rs}, {jose.PS256, rs}}
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.key.Public(), KeyID: string(k.alg)})
	}
	jwks, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) {
		a.Clients = append(a.Clients, peer.PreClient{ID: "machine", Method: "private_key_jwt", JWKS: jwks, GrantTypes: []string{"client_credentials"}})
	})
	ask := func(alg jose.SignatureAlgorithm, key any, id, jti string) answer {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		assertion, err := jwt.Signed(signer).Claims(jwt.Claims{
			Issuer: "machine", Subject: "machine", Audience: jwt.Audience{s.issuer}, ID: jti, Expiry: jwt.NewNumericDate(time.Now().Add(time.Minute)),
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return s.form("/token", "grant_type", "client_credentials", "resource", s.resource,
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", assertion)
	}
	for _, k := range keys {
		for _, id := range []string{string(k.alg), ""} {
			a := ask(k.alg, k.key, id, string(k.alg)+id)
			access, _ := a.json(t)["access_token"].(string)
			if a.status != 200 {
				t.Errorf("%s, kid %q: %d %s", k.alg, id, a.status, a.body)
			} else if a := s.call("get_time", "Authorization", "Bearer "+access); a.status == 401 || a.status == 403 {
				t.Errorf("%s: the token is refused: %d %s", k.alg, a.status, a.body)
			}
		}
	}
	if a := ask(jose.EdDSA, ed, string(jose.EdDSA), "EdDSA"+"EdDSA"); a.status != 401 {
		t.Errorf("an assertion that was used: %d %s", a.status, a.body)
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]answer{
		"another key":                  ask(jose.EdDSA, other, string(jose.EdDSA), "1"),
		"a kid of another key":         ask(jose.EdDSA, ed, string(jose.ES256), "2"),
		"the public key as a secret":   ask(jose.HS256, jwks, "", "3"),
		"an algorithm of no offer":     ask(jose.RS512, rs, string(jose.RS256), "4"),
		"the key of another algorithm": ask(jose.PS256, rs, string(jose.EdDSA), "5"),
	} {
		if a.status != 401 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}
