package bearer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// holder is a client with a key that its tokens are bound to.
type holder struct {
	key *ecdsa.PrivateKey
	jwk []byte
}

func newHolder(t testing.TB) *holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(jose.JSONWebKey{Key: key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	return &holder{key, jwk}
}

// sign signs header and claims as they stand, whatever they say.
func (h *holder) sign(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	o := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{}}
	for k, v := range header {
		o.ExtraHeaders[jose.HeaderKey(k)] = v
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: h.key}, o)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var proofs int

// proof is one that is good for a POST to the resource with the token "bound".
func (h *holder) proof(t testing.TB, change func(header, claims map[string]any)) string {
	t.Helper()
	proofs++
	header := map[string]any{"typ": "dpop+jwt", "jwk": json.RawMessage(h.jwk)}
	claims := map[string]any{
		"jti": fmt.Sprint("proof ", proofs), "htm": "POST", "htu": mcp, "iat": noon.Unix(), "ath": wire.TokenHash("bound"),
	}
	if change != nil {
		change(header, claims)
	}
	return h.sign(t, header, claims)
}

// bound is a guard that takes bound tokens: "bound" is bound to h.
func boundGuard(t testing.TB, h *holder, d bearer.DPoP) *bearer.Guard {
	return newGuard(t, func(c *bearer.Config) {
		c.DPoP = &d
		c.Verifier = bearer.VerifierFunc(func(ctx context.Context, token string) (bearer.Claims, error) {
			name, isBound := strings.CutPrefix(token, "bound")
			if !isBound {
				return tokens.Verify(ctx, token)
			}
			if name == "" {
				name = "good"
			}
			claims, err := tokens.Verify(ctx, strings.TrimPrefix(name, "-"))
			claims.Type, claims.Thumbprint, claims.Proven = "DPoP", wire.Thumbprint(h.jwk), true
			return claims, err
		})
	})
}

func send(g *bearer.Guard, authorization string, proof ...string) *http.Response {
	r := httptest.NewRequest("POST", mcp, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
	r.Host = "10.0.0.7:8080" // as a proxy may name it
	r.Header.Set("Authorization", authorization)
	r.Header["Dpop"] = proof
	w := httptest.NewRecorder()
	g.Handler(open).ServeHTTP(w, r)
	return w.Result()
}

// TestProofs: one good proof opens, and each way to spoil it closes.
func TestProofs(t *testing.T) {
	h, other := newHolder(t), newHolder(t)
	g := boundGuard(t, h, bearer.DPoP{})
	if r := send(g, "DPoP bound", h.proof(t, nil)); r.StatusCode != 200 {
		t.Fatalf("a good proof: %d, %s", r.StatusCode, r.Header)
	}
	claim := func(name string, v any) string {
		return h.proof(t, func(_, c map[string]any) {
			if c[name] = v; v == nil {
				delete(c, name)
			}
		})
	}
	header := func(name string, v any) string {
		return h.proof(t, func(hd, _ map[string]any) { hd[name] = v })
	}
	again := h.proof(t, nil)
	send(g, "DPoP bound", again)
	for _, c := range []struct {
		name, authorization string
		proofs              []string
		rule                rules.ID
		code                string
	}{
		{"no proof", "DPoP bound", nil, rules.ExtDPoPOneHeader, "invalid_dpop_proof"},
		{"two proofs", "DPoP bound", []string{h.proof(t, nil), h.proof(t, nil)}, rules.ExtDPoPOneHeader, "invalid_dpop_proof"},
		{"no JWT", "DPoP bound", []string{"proof"}, rules.ExtDPoPProofForm, "invalid_dpop_proof"},
		{"wrong typ", "DPoP bound", []string{header("typ", "JWT")}, rules.ExtDPoPProofForm, "invalid_dpop_proof"},
		{"private jwk", "DPoP bound", []string{header("jwk", jose.JSONWebKey{Key: h.key})}, rules.ExtDPoPProofForm, "invalid_dpop_proof"},
		{"no jti", "DPoP bound", []string{claim("jti", nil)}, rules.ExtDPoPProofForm, "invalid_dpop_proof"},
		{"no htm", "DPoP bound", []string{claim("htm", nil)}, rules.ExtDPoPProofForm, "invalid_dpop_proof"},
		{"no htu", "DPoP bound", []string{claim("htu", nil)}, rules.ExtDPoPProofForm, "invalid_dpop_proof"},
		{"no iat", "DPoP bound", []string{claim("iat", nil)}, rules.ExtDPoPProofForm, "invalid_dpop_proof"},
		{"iat as text", "DPoP bound", []string{claim("iat", "now")}, rules.ExtDPoPProofForm, "invalid_dpop_proof"},
		{"tampered", "DPoP bound", []string{tampered(h.proof(t, nil))}, rules.ExtDPoPProofForm, "invalid_dpop_proof"},
		{"signed by another", "DPoP bound", []string{other.proof(t, func(hd, _ map[string]any) { hd["jwk"] = json.RawMessage(h.jwk) })}, rules.ExtDPoPProofForm, "invalid_dpop_proof"},
		{"another key", "DPoP bound", []string{other.proof(t, nil)}, rules.ExtDPoPRSValidate, "invalid_dpop_proof"},
		{"wrong method", "DPoP bound", []string{claim("htm", "GET")}, rules.ExtDPoPRSValidate, "invalid_dpop_proof"},
		{"wrong address", "DPoP bound", []string{claim("htu", "https://mcp.example/other")}, rules.ExtDPoPHTU, "invalid_dpop_proof"},
		{"address behind the proxy", "DPoP bound", []string{claim("htu", "http://10.0.0.7:8080/mcp")}, rules.ExtDPoPHTU, "invalid_dpop_proof"},
		{"address with a query", "DPoP bound", []string{claim("htu", mcp+"?a=b")}, rules.ExtDPoPHTU, "invalid_dpop_proof"},
		{"too old", "DPoP bound", []string{claim("iat", noon.Unix()-303)}, rules.ExtDPoPRSValidate, "invalid_dpop_proof"},
		{"too new", "DPoP bound", []string{claim("iat", noon.Unix()+303)}, rules.ExtDPoPRSValidate, "invalid_dpop_proof"},
		{"no ath", "DPoP bound", []string{claim("ath", nil)}, rules.ExtDPoPRSValidate, "invalid_dpop_proof"},
		{"ath of another token", "DPoP bound", []string{claim("ath", wire.TokenHash("other"))}, rules.ExtDPoPRSValidate, "invalid_dpop_proof"},
		{"used before", "DPoP bound", []string{again}, rules.ExtDPoPRSValidate, "invalid_dpop_proof"},
		{"as bearer", "Bearer bound", []string{h.proof(t, nil)}, rules.ExtDPoPNoDowngrade, "invalid_token"},
		{"an unbound token as bound", "DPoP good", []string{claim("ath", wire.TokenHash("good"))}, rules.ExtDPoPRSValidate, "invalid_token"},
		{"for another resource", "DPoP bound-foreign", []string{claim("ath", wire.TokenHash("bound-foreign"))}, rules.RSAudience, "invalid_token"},
	} {
		r := send(g, c.authorization, c.proofs...)
		challenges := r.Header.Values("WWW-Authenticate")
		if r.StatusCode != 401 || len(challenges) != 1 || !strings.HasPrefix(challenges[0], "DPoP ") ||
			!strings.Contains(challenges[0], `error="`+c.code+`"`) || !strings.Contains(challenges[0], `algs="ES256 EdDSA RS256 PS256"`) {
			t.Errorf("%s (%s): %d, %q; want 401 by the scheme DPoP with %s (%s)", c.name, c.rule, r.StatusCode, challenges, c.code, rules.ExtDPoPRS401)
		}
	}
	for name, good := range map[string]string{
		"nearly too old":   claim("iat", noon.Unix()-299),
		"nearly too new":   claim("iat", noon.Unix()+299),
		"fractional iat":   claim("iat", float64(noon.Unix())+0.5),
		"default port":     claim("htu", "https://MCP.example:443/mcp"),
		"typ in caps":      header("typ", "DPoP+JWT"),
		"an unknown claim": claim("content_digest", "x"),
	} {
		if r := send(g, "dpop bound", good); r.StatusCode != 200 {
			t.Errorf("%s: %d, %s", name, r.StatusCode, r.Header)
		}
	}
	// A bearer token stays one.
	if r := send(g, "Bearer good"); r.StatusCode != 200 {
		t.Errorf("a bearer token: %d", r.StatusCode)
	}
	if r := send(g, "Bearer junk"); !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer ") {
		t.Errorf("a bad bearer token: %s", r.Header)
	}
	if r := send(g, "Basic x"); len(r.Header.Values("WWW-Authenticate")) != 2 {
		t.Errorf("without a token, both schemes are offered: %s", r.Header)
	}
	if r := send(newGuard(t, nil), "DPoP good", h.proof(t, nil)); r.StatusCode != 401 {
		t.Errorf("without Config.DPoP, the scheme is not known: %d", r.StatusCode)
	}
}

func tampered(jws string) string {
	parts := strings.Split(jws, ".")
	parts[2] = strings.ToLower(parts[2][:40]) + parts[2][40:]
	return strings.Join(parts, ".")
}

// TestNonces: with Nonces a proof needs the nonce that every answer brings; the one
// before the newest is still good, an older one is not.
func TestNonces(t *testing.T) {
	h, at := newHolder(t), noon
	nonces, err := bearer.NewNonces(nil, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	g := newGuard(t, func(c *bearer.Config) {
		c.DPoP, c.Now = &bearer.DPoP{Nonces: nonces, Required: true}, func() time.Time { return at }
		c.Verifier = bearer.VerifierFunc(func(ctx context.Context, _ string) (bearer.Claims, error) {
			claims, err := tokens.Verify(ctx, "good")
			claims.Thumbprint = wire.Thumbprint(h.jwk)
			return claims, err
		})
	})
	with := func(nonce string) *http.Response {
		return send(g, "DPoP bound", h.proof(t, func(_, c map[string]any) { c["nonce"] = nonce }))
	}
	r := send(g, "DPoP bound", h.proof(t, nil))
	nonce := r.Header.Get("DPoP-Nonce")
	if r.StatusCode != 401 || nonce == "" || !strings.Contains(r.Header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`) {
		t.Fatalf("without a nonce: %d, %s", r.StatusCode, r.Header)
	}
	if r := with(nonce); r.StatusCode != 200 || r.Header.Get("DPoP-Nonce") != nonce {
		t.Errorf("with the nonce: %d, %s", r.StatusCode, r.Header)
	}
	at = noon.Add(time.Minute)
	if r := with(nonce); r.StatusCode != 200 || r.Header.Get("DPoP-Nonce") == nonce {
		t.Errorf("with the nonce before: %d, %s", r.StatusCode, r.Header)
	}
	at = noon.Add(2 * time.Minute)
	if r := with(nonce); r.StatusCode != 401 {
		t.Errorf("with an old nonce: %d", r.StatusCode)
	}
	if r := send(g, "Bearer good"); r.StatusCode != 401 || len(r.Header.Values("WWW-Authenticate")) != 1 {
		t.Errorf("an unbound token where binding is required: %d, %s", r.StatusCode, r.Header)
	}
	w := httptest.NewRecorder()
	g.MetadataHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if !strings.Contains(w.Body.String(), `"dpop_bound_access_tokens_required":true`) || !strings.Contains(w.Body.String(), `"dpop_signing_alg_values_supported":["ES256"`) {
		t.Errorf("metadata: %s", w.Body)
	}
}

// TestProofsBounded: when as many proofs are remembered as may be, requests are put off
// and none is forgotten early; time makes room.
func TestProofsBounded(t *testing.T) {
	h, at := newHolder(t), noon
	g := newGuard(t, func(c *bearer.Config) {
		c.DPoP, c.Now = &bearer.DPoP{MaxProofs: 4, Window: time.Minute}, func() time.Time { return at }
		c.Verifier = bearer.VerifierFunc(func(ctx context.Context, _ string) (bearer.Claims, error) {
			claims, err := tokens.Verify(ctx, "good")
			claims.Thumbprint = wire.Thumbprint(h.jwk)
			return claims, err
		})
	})
	iat := func(to time.Time) string {
		return h.proof(t, func(_, c map[string]any) { c["iat"] = to.Unix() })
	}
	first := iat(noon)
	var got []int
	for _, p := range []string{first, iat(noon), iat(noon), first} {
		got = append(got, send(g, "DPoP bound", p).StatusCode)
	}
	at = noon.Add(2 * time.Minute)
	ahead := iat(at.Add(time.Minute))
	for _, p := range []string{ahead, iat(at)} {
		got = append(got, send(g, "DPoP bound", p).StatusCode)
	}
	at = noon.Add(4 * time.Minute)
	got = append(got, send(g, "DPoP bound", ahead).StatusCode)
	if want := []int{200, 200, 503, 401, 200, 200, 401}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestAddressesOfProofs: behind a proxy that changes paths, the host says which
// addresses clients send to.
func TestAddressesOfProofs(t *testing.T) {
	h := newHolder(t)
	g := boundGuard(t, h, bearer.DPoP{Addresses: func(*http.Request) []string {
		return []string{"https://public.example/tools", "https://old.example/tools"}
	}})
	for at, want := range map[string]int{"https://public.example/tools": 200, "https://old.example/tools": 200, mcp: 401} {
		if r := send(g, "DPoP bound", h.proof(t, func(_, c map[string]any) { c["htu"] = at })); r.StatusCode != want {
			t.Errorf("htu %s: %d, want %d", at, r.StatusCode, want)
		}
	}
}

// TestConfirmation: what a token is bound to is read from JWTs and introspection alike;
// a binding that is not known here leaves no bearer token.
func TestConfirmation(t *testing.T) {
	for body, want := range map[string]bearer.Claims{
		`{"active":true,"cnf":{"jkt":"abc"}}`:               {Type: "DPoP", Thumbprint: "abc"},
		`{"active":true,"cnf":{"x5t#S256":"abc"}}`:          {Type: "bound to a key"},
		`{"active":true,"cnf":{"jkt":"abc","x5t#S256":""}}`: {Type: "bound to a key"},
		`{"active":true,"token_type":"Bearer","cnf":null}`:  {Type: "Bearer"},
	} {
		got, err := bearer.ParseIntrospection([]byte(body))
		if err != nil || got.Type != want.Type || got.Thumbprint != want.Thumbprint {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}
