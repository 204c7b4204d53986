package peer

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// proof makes a proof with wire.Proof, with a signature that verifySigned accepts. key
// is the x of its public key.
func proof(key string, p wire.ProofParams) wire.Fields {
	p.Alg, p.Key = "EdDSA", `{"kty":"OKP","crv":"Ed25519","x":"`+key+`"}`
	header, claims := wire.Proof(p)
	enc := base64.RawURLEncoding.EncodeToString
	jws := enc([]byte(header)) + "." + enc([]byte(claims)) + "." + enc([]byte(`{"keys":[`+p.Key+`]}`))
	return wire.Fields{{Name: "DPoP", Value: jws, Secret: true}}
}

// bound is a client of a site with DPoP, with the key "AA".
type bound struct {
	*site
	client string
	proofs int
	nonce  string
}

func newBound(t *testing.T, change func(*ASConfig, *RSConfig)) *bound {
	h := newSite(t, func(a *ASConfig, r *RSConfig) {
		a.DPoP, a.Verify, r.DPoP, r.Verify = DPoPOffered, verifySigned, DPoPOffered, verifySigned
		if change != nil {
			change(a, r)
		}
	})
	return &bound{site: h, client: h.public()}
}

// prove makes the proof for the next request.
func (b *bound) prove(key string, p wire.ProofParams) wire.Fields {
	b.proofs++
	p.ID, p.At = fmt.Sprint("proof-", b.proofs), b.at
	if p.Nonce == "" {
		p.Nonce = b.nonce
	}
	return proof(key, p)
}

func (b *bound) exchanged(key string) wire.Response { return b.exchangedCode(key, b.code(b.client)) }

func (b *bound) exchangedCode(key, code string) wire.Response {
	b.auth = b.prove(key, wire.ProofParams{Method: "POST", URL: issuer + "/token"})
	defer func() { b.auth = nil }()
	return b.exchange(b.client, code)
}

func (b *bound) refreshed(key, token string) wire.Response {
	if key != "" {
		b.auth = b.prove(key, wire.ProofParams{Method: "POST", URL: issuer + "/token"})
	}
	defer func() { b.auth = nil }()
	return b.refresh(b.client, token)
}

func (b *bound) called(scheme, key, token string, change func(*wire.ProofParams)) wire.Response {
	p := wire.ProofParams{Method: "POST", URL: resource, Token: wire.Secret(token)}
	if change != nil {
		change(&p)
	}
	r := wire.Request{Method: "POST", URL: resource, Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)}
	r.Header = append(wire.Fields{{Name: "Authorization", Value: scheme + " " + token, Secret: true}}, b.prove(key, p)...)
	return b.do(r)
}

// TestBoundTokens: a token is bound to the key of the proof, and so is a public client's
// refresh token; both are good with that key only, and the token not as a bearer token.
//
// Rules: ext-dpop-refresh-key, ext-dpop-no-downgrade, ext-dpop-type, ext-dpop-scheme.
func TestBoundTokens(t *testing.T) {
	b := newBound(t, nil)
	m := b.object(b.exchanged("AA"))
	access, refresh := m["access_token"].(string), m["refresh_token"].(string)
	if m["token_type"] != "DPoP" {
		t.Errorf("the token is %v", m["token_type"])
	}
	if who := b.w.Introspect(b.at, access); who.Thumbprint != wire.Thumbprint([]byte(`{"kty":"OKP","crv":"Ed25519","x":"AA"}`)) {
		t.Errorf("bound to %q", who.Thumbprint)
	}
	for _, c := range []struct {
		name, scheme, key string
		change            func(*wire.ProofParams)
		status            int
		code              string
	}{
		{"with its key", "DPoP", "AA", nil, 200, ""},
		{"as bearer", "Bearer", "AA", nil, 401, "invalid_token"},
		{"with another key", "DPoP", "AB", nil, 401, "invalid_dpop_proof"},
		{"for another address", "DPoP", "AA", func(p *wire.ProofParams) { p.URL = "https://other.example/mcp" }, 401, "invalid_dpop_proof"},
		{"without ath", "DPoP", "AA", func(p *wire.ProofParams) { p.Token = "" }, 401, "invalid_dpop_proof"},
	} {
		r := b.called(c.scheme, c.key, access, c.change)
		challenge := strings.Join(r.Header.Header("WWW-Authenticate"), "; ")
		if r.Status != c.status || c.code != "" && (!strings.HasPrefix(challenge, "DPoP ") || !strings.Contains(challenge, `error="`+c.code+`"`)) {
			t.Errorf("%s: %d, %s", c.name, r.Status, challenge)
		}
	}
	if r := b.called("DPoP", "AA", access, nil); r.Status != 200 {
		t.Errorf("once more: %d", r.Status)
	}
	b.proofs-- // the same proof
	if r := b.called("DPoP", "AA", access, nil); r.Status != 401 {
		t.Errorf("a proof twice: %d", r.Status)
	}
	for _, key := range []string{"", "AB", "AA"} {
		if r := b.refreshed(key, refresh); (r.Status == 200) != (key == "AA") {
			t.Errorf("refreshed with key %q: %d %s", key, r.Status, r.Body)
		}
	}
	if m := b.object(b.exchange(b.client, b.code(b.client))); m["token_type"] != "Bearer" {
		t.Errorf("without a proof: %v", m)
	}
	if _, err := NewAS(ASConfig{Issuer: issuer, DPoP: DPoPOffered}); err == nil {
		t.Error("DPoP without Verify")
	}
	if _, err := NewRS(RSConfig{Resource: resource, DPoP: DPoPOffered}); err == nil {
		t.Error("DPoP without Verify at the resource")
	}
}

// TestNoncesOfServers: each server demands its own nonce, and gives it with every
// answer.
//
// Rules: ext-dpop-nonce-scope, ext-dpop-as-nonce, ext-dpop-bound-flag.
func TestNoncesOfServers(t *testing.T) {
	b := newBound(t, func(a *ASConfig, r *RSConfig) {
		a.DPoPNonces, r.DPoPNonces, a.DPoP, r.DPoP = true, true, DPoPRequired, DPoPRequired
	})
	if r := b.exchange(b.client, b.code(b.client)); r.Status != 400 || !strings.Contains(string(r.Body), "invalid_dpop_proof") {
		t.Errorf("without a proof: %d %s", r.Status, r.Body)
	}
	r := b.exchanged("AA")
	b.nonce = strings.Join(r.Header.Header("DPoP-Nonce"), "")
	if r.Status != 400 || !strings.Contains(string(r.Body), "use_dpop_nonce") || b.nonce == "" {
		t.Fatalf("without a nonce: %d %s %v", r.Status, r.Body, r.Header)
	}
	if r = b.exchanged("AA"); r.Status != 200 || len(r.Header.Header("DPoP-Nonce")) != 1 {
		t.Fatalf("with the nonce: %d %s", r.Status, r.Body)
	}
	access := b.object(r)["access_token"].(string)
	r = b.called("DPoP", "AA", access, nil)
	if r.Status != 401 || !strings.Contains(strings.Join(r.Header.Header("WWW-Authenticate"), ""), "use_dpop_nonce") {
		t.Errorf("with the nonce of the issuer: %d %v", r.Status, r.Header)
	}
	b.nonce = strings.Join(r.Header.Header("DPoP-Nonce"), "")
	if r = b.called("DPoP", "AA", access, nil); r.Status != 200 {
		t.Errorf("with the nonce of the resource: %d", r.Status)
	}
	b.at = b.at.Add(2 * nonceLife)
	if r = b.called("DPoP", "AA", access, nil); r.Status != 401 {
		t.Errorf("with an old nonce: %d", r.Status)
	}
}

// TestFaultsOfProofs: what each fault about proofs does.
//
// Rules: ext-dpop-alg-list, ext-dpop-nonce-cap, ext-dpop-clock, ext-dpop-htu.
func TestFaultsOfProofs(t *testing.T) {
	for fault, want := range map[string]string{
		"dpop-ignored":          "200 Bearer 401",
		"dpop-nonce-endless":    "400 use_dpop_nonce",
		"dpop-clock-ahead":      "400 invalid_dpop_proof Tue, 28 Jul 2026 13:00:00 GMT",
		"rs-dpop-htu":           "200 DPoP 401 invalid_dpop_proof",
		"rs-dpop-nonce-endless": "200 DPoP 401 use_dpop_nonce",
		"rs-dpop-clock-ahead":   "200 DPoP 401 invalid_dpop_proof Tue, 28 Jul 2026 13:00:00 GMT",
		"rs-dpop-unchecked":     "200 DPoP 200",
	} {
		b := newBound(t, func(a *ASConfig, r *RSConfig) {
			var err error
			if a.Faults, r.Faults, err = Side([]string{fault}); err != nil {
				t.Fatal(err)
			}
		})
		r := b.exchanged("AA")
		m := b.object(r)
		got := fmt.Sprint(r.Status)
		add := func(r wire.Response, code any) {
			if s, ok := code.(string); ok {
				got += " " + s
			}
			if d := r.Header.Header("Date"); len(d) > 0 {
				got += " " + d[0]
			}
		}
		if r.Status != 200 {
			add(r, m["error"])
		} else {
			got += fmt.Sprint(" ", m["token_type"])
			scheme := "DPoP"
			if fault == "rs-dpop-unchecked" {
				scheme = "Bearer"
			}
			r = b.called(scheme, "AA", m["access_token"].(string), nil)
			got += fmt.Sprint(" ", r.Status)
			if r.Status == 401 && m["token_type"] == "DPoP" {
				add(r, b.object(r)["error"])
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", fault, got, want)
		}
	}
	b := newBound(t, func(a *ASConfig, _ *RSConfig) { a.Faults = []string{"asm-dpop-symmetric"} })
	if m := b.object(b.get(issuer + "/.well-known/oauth-authorization-server")); fmt.Sprint(m["dpop_signing_alg_values_supported"]) != "[none HS256]" {
		t.Errorf("%s: %v", rules.ExtDPoPAlgList, m["dpop_signing_alg_values_supported"])
	}
	if f, _ := FaultNamed("dpop-clock-ahead"); f.Rule != rules.ExtDPoPClock || clock(b.at, true).Sub(b.at) != time.Hour {
		t.Errorf("%+v", f)
	}
}
