package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/httpdriver/keys"
)

func private(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	out := map[string]crypto.Signer{}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	out["RS256"] = r
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		out[alg] = k
	}
	_, e, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	out["EdDSA"] = e
	return out
}

// pkcs8 writes a key as openssl does.
func pkcs8(t testing.TB, k crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestSignaturesVerify: go-jose takes what every kind of key signs, with the public
// half that the key says of itself, and nobody else's.
func TestSignaturesVerify(t *testing.T) {
	all := private(t)
	for usual, signer := range all {
		algs := []string{usual}
		if usual == "RS256" {
			algs = append(algs, "PS256", "RS384", "PS384", "RS512", "PS512")
		}
		for _, alg := range algs {
			k, err := keys.Parse(pkcs8(t, signer), keys.Options{Alg: alg, ID: "one"})
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`","kid":"one"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"app"}`))
			sig, err := k.Sign(t.Context(), k.About().Name, alg, []byte(text))
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			jws, err := jose.ParseSignedCompact(text+"."+base64.RawURLEncoding.EncodeToString(sig), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			var set jose.JSONWebKeySet
			if err := json.Unmarshal([]byte(k.About().Keys), &set); err != nil || len(set.Keys) != 1 || !set.Keys[0].IsPublic() {
				t.Fatalf("%s: %s %v", alg, k.About().Keys, err)
			}
			if body, err := jws.Verify(set.Keys[0]); err != nil || string(body) != `{"iss":"app"}` {
				t.Errorf("%s: %v", alg, err)
			}
			for other, o := range all {
				if _, err := jws.Verify(o.Public()); err == nil && other != usual {
					t.Errorf("%s: verified by the key of %s", alg, other)
				}
			}
			if _, err := k.Sign(t.Context(), "another", alg, []byte(text)); err == nil {
				t.Error("a key that is not there signs")
			}
			if _, err := k.Sign(t.Context(), k.About().Name, "none", []byte(text)); err == nil {
				t.Error("it signs with none")
			}
		}
	}
}

// TestPrintingShowsNothing: whatever a program prints of a Key, nothing private is in it.
func TestPrintingShowsNothing(t *testing.T) {
	k, err := keys.New(private(t)["EdDSA"], keys.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		for _, v := range []any{k, *k, struct{ Key keys.Key }{*k}} {
			if got := fmt.Sprintf(verb, v); !strings.Contains(got, "keys.Key(client, EdDSA)") || len(got) > 60 {
				t.Errorf("%s of a %T prints %s", verb, v, got)
			}
		}
	}
}

func TestFormsOfKeys(t *testing.T) {
	all := private(t)
	ec, _ := x509.MarshalECPrivateKey(all["ES256"].(*ecdsa.PrivateKey))
	jwk, _ := json.Marshal(jose.JSONWebKey{Key: all["ES256"], KeyID: "of-the-jwk", Algorithm: "ES256"})
	pub, _ := json.Marshal(jose.JSONWebKey{Key: all["ES256"].Public(), KeyID: "public"})
	set := func(of ...[]byte) []byte {
		var parts []string
		for _, k := range of {
			parts = append(parts, string(k))
		}
		return []byte(`{"keys":[` + strings.Join(parts, ",") + `]}`)
	}
	params := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8}})
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		text []byte
		o    keys.Options
		id   string
		bad  string // part of the error
	}{
		{name: "PKCS 1", text: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(all["RS256"].(*rsa.PrivateKey))})},
		{name: "SEC 1 behind its parameters", text: append(params, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: ec})...)},
		{name: "a JWK", text: jwk, id: "of-the-jwk"},
		{name: "a JWK with another kid", text: jwk, o: keys.Options{ID: "another"}, bad: "no private key"},
		{name: "a set", text: set(pub, jwk), id: "of-the-jwk"},
		{name: "two private keys", text: set(jwk, jwk), bad: "more than one"},
		{name: "a public key", text: pub, bad: "no private key"},
		{name: "nothing", bad: "no private key in PEM or JWK form"},
		{name: "another algorithm", text: pkcs8(t, all["ES256"]), o: keys.Options{Alg: "RS256"}, bad: "does not sign with"},
		{name: "encrypted", text: pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), bad: "encrypted"},
		{name: "a short key", text: pkcs8(t, short), bad: "2048"},
		{name: "rubbish", text: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret-rubbish")}), bad: "cannot be read"},
		{name: "half a JWK", text: jwk[:40], bad: "cannot be read"},
	} {
		k, err := keys.Parse(c.text, c.o)
		switch {
		case c.bad == "" && (err != nil || k.About().ID != c.id):
			t.Errorf("%s: %v", c.name, err)
		case c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad) || strings.Contains(err.Error(), "rubbish")):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, k := range private(f) {
		f.Add(pkcs8(f, k), "", "")
		jwk, _ := json.Marshal(jose.JSONWebKey{Key: k, KeyID: "one"})
		f.Add(jwk, "", "one")
	}
	f.Fuzz(func(t *testing.T, text []byte, alg, id string) {
		k, err := keys.Parse(text, keys.Options{Alg: alg, ID: id})
		if err == nil && (k.About().Alg == "" || k.About().Alg == "none" || strings.Contains(k.About().Keys, `"d":`)) {
			t.Errorf("%+v", k.About())
		}
	})
}
