package bearer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// issuerKeys are the keys of a pretended issuer.
type issuerKeys struct {
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
	ed  ed25519.PrivateKey
}

var keysOnce = sync.OnceValue(func() issuerKeys {
	r, err1 := rsa.GenerateKey(rand.Reader, 2048)
	e, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, d, err3 := ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(err1, err2, err3); err != nil {
		panic(err)
	}
	return issuerKeys{r, e, d}
})

func (k issuerKeys) set() []jose.JSONWebKey {
	return []jose.JSONWebKey{
		{Key: k.rsa.Public(), KeyID: "r"}, {Key: k.ec.Public(), KeyID: "e"}, {Key: k.ed.Public(), KeyID: "d", Algorithm: "EdDSA", Use: "sig"},
		{Key: k.rsa.Public(), KeyID: "enc", Use: "enc"},
	}
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, kid, typ, payload string) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	if kid != "" {
		o = o.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	out, err := sig.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func raw(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

const claims = `{"iss":"https://as.example","sub":"ann","aud":"https://mcp.example/mcp","exp":1785243600,"scope":"user","client_id":"c"}`

func TestJWT(t *testing.T) {
	k := keysOnce()
	v, err := bearer.NewJWT(bearer.JWTConfig{Keys: bearer.StaticKeys(k.set())})
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(k.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := sign(t, jose.EdDSA, k.ed, "d", "at+jwt", claims)
	parts := strings.Split(good, ".")
	hs := raw(`{"alg":"HS256","typ":"at+jwt","kid":"r"}`) + "." + raw(claims)
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(hs))
	embedded, err := json.Marshal(jose.JSONWebKey{Key: other.Public()})
	if err != nil {
		t.Fatal(err)
	}
	jwk := raw(`{"alg":"EdDSA","typ":"at+jwt","jwk":`+string(embedded)+`}`) + "." + raw(claims)
	cases := []struct {
		name, token string
		ok          bool
	}{
		{"EdDSA", good, true},
		{"RS256", sign(t, jose.RS256, k.rsa, "r", "at+jwt", claims), true},
		{"PS256", sign(t, jose.PS256, k.rsa, "r", "AT+JWT", claims), true},
		{"ES256", sign(t, jose.ES256, k.ec, "e", "application/at+jwt", claims), true},
		{"no kid", sign(t, jose.ES256, k.ec, "", "at+jwt", claims), true},
		{"alg none", raw(`{"alg":"none","typ":"at+jwt"}`) + "." + raw(claims) + ".", false},
		{"alg None", raw(`{"alg":"None","typ":"at+jwt"}`) + "." + raw(claims) + ".", false},
		{"alg missing", raw(`{"typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2], false},
		{"HS256 with the public key", hs + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), false},
		{"RS512, not on the list", sign(t, jose.RS512, k.rsa, "r", "at+jwt", claims), false},
		{"another's key under our kid", sign(t, jose.EdDSA, other, "d", "at+jwt", claims), false},
		{"another's key without kid", sign(t, jose.EdDSA, other, "", "at+jwt", claims), false},
		{"key in the header", jwk + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(other, []byte(jwk))), false},
		{"unknown kid", sign(t, jose.EdDSA, k.ed, "x", "at+jwt", claims), false},
		{"kid of another kind", sign(t, jose.EdDSA, k.ed, "r", "at+jwt", claims), false},
		{"a key for encryption", sign(t, jose.RS256, k.rsa, "enc", "at+jwt", claims), false},
		{"an ID token", sign(t, jose.EdDSA, k.ed, "d", "JWT", claims), false},
		{"no type", sign(t, jose.EdDSA, k.ed, "d", "", claims), false},
		{"claims altered", parts[0] + "." + raw(strings.Replace(claims, "ann", "bob", 1)) + "." + parts[2], false},
		{"signature cut", good[:len(good)-4], false},
		{"signature empty", parts[0] + "." + parts[1] + ".", false},
		{"four parts", good + ".x", false},
		{"opaque", "at_abcdef", false},
		{"empty", "", false},
		{"claims twice", sign(t, jose.EdDSA, k.ed, "d", "at+jwt", `{"sub":"ann","sub":"bob"}`), false},
		{"claims no object", sign(t, jose.EdDSA, k.ed, "d", "at+jwt", `[]`), false},
		{"exp is a string", sign(t, jose.EdDSA, k.ed, "d", "at+jwt", `{"exp":"1"}`), false},
		{"nested", sign(t, jose.EdDSA, k.ed, "d", "at+jwt", good), false},
	}
	for _, c := range cases {
		got, err := v.Verify(context.Background(), c.token)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, bearer.ErrInvalidToken) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.ok && (got.Subject != "ann" || got.Scopes[0] != "user" || got.Audience[0] != "https://mcp.example/mcp" || got.Expires.Unix() != 1785243600) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	bound, err := v.Verify(context.Background(), sign(t, jose.EdDSA, k.ed, "d", "at+jwt", `{"cnf":{"jkt":"x"}}`))
	if err != nil || bound.Type == "" || bound.Type == "Bearer" {
		t.Errorf("a token bound to a key passes for a bearer token: %+v %v", bound, err)
	}
	for _, alg := range []string{"none", "HS256", "", "eddsa"} {
		if _, err := bearer.NewJWT(bearer.JWTConfig{Keys: bearer.StaticKeys(nil), Algorithms: []string{alg}}); err == nil {
			t.Errorf("%q was taken as an algorithm", alg)
		}
	}
}

func TestKeysRotate(t *testing.T) {
	k, c := keysOnce(), newClock()
	var calls, status atomic.Int32
	var set atomic.Value
	set.Store(k.set()[:1])
	status.Store(200)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(int(status.Load()))
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": append([]any{map[string]string{"kty": "XX", "kid": "odd"}, map[string]string{"kty": "oct", "k": "c2VjcmV0", "kid": "hmac"}}, anys(set.Load().([]jose.JSONWebKey))...)})
	}))
	defer s.Close()
	keys, err := bearer.NewKeySet(bearer.KeySetConfig{URL: s.URL, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	v, err := bearer.NewJWT(bearer.JWTConfig{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	old, young := sign(t, jose.RS256, k.rsa, "r", "at+jwt", claims), sign(t, jose.ES256, k.ec, "e", "at+jwt", claims)
	ask := func(token string, want error, n int32) {
		t.Helper()
		if _, err := v.Verify(context.Background(), token); !errors.Is(err, want) || calls.Load() != n {
			t.Fatalf("%v after %d calls", err, calls.Load())
		}
	}
	ask(old, nil, 1)
	ask(old, nil, 1)
	for range 100 {
		ask(young, bearer.ErrInvalidToken, 1) // unknown, and too soon to ask
	}
	set.Store(k.set()[1:2])
	c.advance(30 * time.Second)
	ask(young, nil, 2) // rotated
	c.advance(30 * time.Second)
	ask(old, bearer.ErrInvalidToken, 3) // gone
	status.Store(500)
	c.advance(time.Hour)
	// An old set serves while a newer one is asked for, and when none can be had.
	if _, err := v.Verify(context.Background(), young); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); calls.Load() < 4 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	_, _ = keys.Get(context.Background(), "none", true) // joins the fetch, if it goes on
	ask(young, nil, 4)
	c.advance(24 * time.Hour)
	ask(young, bearer.ErrUnavailable, 5) // not for ever
	ask(sign(t, jose.RS256, k.rsa, "odd", "at+jwt", claims), bearer.ErrUnavailable, 5)
}

func anys(k []jose.JSONWebKey) []any {
	var out []any
	for _, x := range k {
		out = append(out, x)
	}
	return out
}

// An endpoint that hangs stalls nobody whose key is held, and those with an
// unknown one for the time of a fetch at most.
func TestKeysWhileTheEndpointHangs(t *testing.T) {
	k, c := keysOnce(), newClock()
	var hang atomic.Bool
	asked, release := make(chan struct{}, 10), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if hang.Load() {
			asked <- struct{}{}
			<-release
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": anys(k.set()[:1])})
	}))
	defer s.Close()
	defer close(release)
	keys, err := bearer.NewKeySet(bearer.KeySetConfig{URL: s.URL, Now: c.now, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	v, err := bearer.NewJWT(bearer.JWTConfig{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	held, unknown := sign(t, jose.RS256, k.rsa, "r", "at+jwt", claims), sign(t, jose.ES256, k.ec, "e", "at+jwt", claims)
	if _, err := v.Verify(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	hang.Store(true)
	c.advance(time.Hour)
	for range 100 {
		// A context that has ended shows that nothing is waited for.
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := v.Verify(ended, held); err != nil {
			t.Fatalf("with the key at hand: %v", err)
		}
	}
	<-asked // it was asked nevertheless
	c.advance(time.Minute)
	if _, err := v.Verify(t.Context(), unknown); !errors.Is(err, bearer.ErrInvalidToken) {
		t.Errorf("an unknown key while nobody answers: %v", err)
	}
}

func TestFirstKeysAreWaitedFor(t *testing.T) {
	k := keysOnce()
	release := make(chan struct{})
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		<-release
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: k.set()})
	}))
	defer s.Close()
	keys, err := bearer.NewKeySet(bearer.KeySetConfig{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, err := keys.Get(context.Background(), "d", false); err != nil || len(got) != 1 {
				t.Errorf("%v %v", got, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("%d fetches", calls.Load())
	}
}
