package bearer_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// TestAlgorithmsOfProofs: a proof is signed by one of the algorithms that the host takes,
// and by the one that belongs to its key.
func TestAlgorithmsOfProofs(t *testing.T) {
	h := newHolder(t)
	ps := boundGuard(t, h, bearer.DPoP{Algorithms: []string{"PS256"}})
	r := send(ps, "DPoP bound", h.proof(t, nil))
	if r.StatusCode != 401 || !strings.Contains(r.Header.Get("WWW-Authenticate"), `algs="PS256"`) {
		t.Errorf("another algorithm: %d %v", r.StatusCode, r.Header)
	}
	if !strings.Contains(r.Header.Get("WWW-Authenticate"), `scope="user"`) || !strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "DPoP-Nonce") {
		t.Errorf("the refusal of a proof says %v", r.Header)
	}
	// A key on P-256 that signs as ES384 does: the signature is good, the algorithm is not.
	for alg, g := range map[string]*bearer.Guard{
		"ES384": boundGuard(t, h, bearer.DPoP{Algorithms: []string{"ES256", "ES384"}}),
		"EdDSA": boundGuard(t, h, bearer.DPoP{}),
	} {
		_, payload, _ := strings.Cut(h.proof(t, nil), ".")
		payload, _, _ = strings.Cut(payload, ".")
		signed := raw(`{"alg":"`+alg+`","typ":"dpop+jwt","jwk":`+string(h.jwk)+`}`) + "." + payload
		sum := sha512.Sum384([]byte(signed))
		a, b, err := ecdsa.Sign(rand.Reader, h.key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		signature := append(a.FillBytes(make([]byte, 48)), b.FillBytes(make([]byte, 48))...)
		if r := send(g, "DPoP bound", signed+"."+base64.RawURLEncoding.EncodeToString(signature)); r.StatusCode != 401 {
			t.Errorf("%s with a key on P-256: %d", alg, r.StatusCode)
		}
	}
}

// TestProofByAnEdwardsKey: a token that is bound to a key for EdDSA is taken with a proof by that key.
func TestProofByAnEdwardsKey(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := newHolder(t)
	if h.jwk, err = json.Marshal(jose.JSONWebKey{Key: public}); err != nil {
		t.Fatal(err)
	}
	_, payload, _ := strings.Cut(h.proof(t, nil), ".")
	payload, _, _ = strings.Cut(payload, ".")
	signed := raw(`{"alg":"EdDSA","typ":"dpop+jwt","jwk":`+string(h.jwk)+`}`) + "." + payload
	proof := signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(signed)))
	if r := send(boundGuard(t, h, bearer.DPoP{}), "DPoP bound", proof); r.StatusCode != http.StatusOK {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
}

// TestBindingRequired: where tokens must be bound, one that is not is refused, and only
// the scheme DPoP is offered.
func TestBindingRequired(t *testing.T) {
	h := newHolder(t)
	for _, required := range []bool{false, true} {
		g := boundGuard(t, h, bearer.DPoP{Required: required})
		if r := send(g, "DPoP bound", h.proof(t, nil)); r.StatusCode != 200 {
			t.Errorf("required %t, bound: %d", required, r.StatusCode)
		}
		want, offered := 200, 2
		if required {
			want, offered = 401, 1
		}
		if r := send(g, "Bearer good"); r.StatusCode != want {
			t.Errorf("required %t, not bound: %d", required, r.StatusCode)
		}
		w := httptest.NewRecorder()
		g.Handler(open).ServeHTTP(w, httptest.NewRequest("GET", mcp, http.NoBody))
		if c := w.Header().Values("WWW-Authenticate"); len(c) != offered || !strings.HasPrefix(c[offered-1], "DPoP ") {
			t.Errorf("required %t, no token: %q", required, c)
		}
	}
	g := boundGuard(t, h, bearer.DPoP{})
	if c := send(g, "Bearer junk").Header.Values("WWW-Authenticate"); len(c) != 1 || !strings.HasPrefix(c[0], "Bearer ") {
		t.Errorf("a bad bearer token: %q", c)
	}
	r := httptest.NewRequest("GET", mcp, http.NoBody)
	r.Header["Authorization"] = []string{"Bearer a", "Bearer b"}
	w := httptest.NewRecorder()
	g.Handler(open).ServeHTTP(w, r)
	if c := w.Header().Values("WWW-Authenticate"); len(c) != 1 || !strings.HasPrefix(c[0], "Bearer ") {
		t.Errorf("two fields: %q", c)
	}
}

// TestOneProofRemembered: with room for one proof, the second is put off.
func TestOneProofRemembered(t *testing.T) {
	h := newHolder(t)
	g := boundGuard(t, h, bearer.DPoP{MaxProofs: 1})
	for i, want := range []int{200, 503} {
		if r := send(g, "DPoP bound", h.proof(t, nil)); r.StatusCode != want {
			t.Errorf("proof %d: %d", i+1, r.StatusCode)
		}
	}
}
