package wire

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// TestThumbprint: the example of RFC 7638 §3.1. Other members change nothing, and a key
// that is not public, or of a kind that is not for proofs, has no thumbprint.
func TestThumbprint(t *testing.T) {
	const rsa = `"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"`
	for key, want := range map[string]string{
		`{` + rsa + `,"alg":"RS256","kid":"2011-04-29"}`: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		`{` + rsa + `,"d":"AA"}`:                         "",
		`{"kty":"oct","k":"AA"}`:                         "",
		`{"kty":"EC","crv":"P-256","x":"AA"}`:            "",
		`{`:                                              "",
	} {
		if got := Thumbprint([]byte(key)); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

// TestProofs: what is built can be read back, and is valid only for its own request.
//
// Rules: ext-dpop-proof-form, ext-dpop-htu, ext-dpop-no-content-digest.
func TestProofs(t *testing.T) {
	at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	header, claims := Proof(ProofParams{
		Method: "POST", URL: "https://as.example/token?a=b#c", ID: "1", At: at, Nonce: "n", Token: "t", Alg: "EdDSA", Key: `{"kty":"OKP","crv":"Ed25519","x":"AA"}`,
	})
	if strings.Contains(claims, "digest") || !strings.Contains(claims, `"htu":"https://as.example/token"`) {
		t.Errorf("claims: %s", claims)
	}
	enc := base64.RawURLEncoding.EncodeToString
	p, bad := ParseProof([]string{enc([]byte(header)) + "." + enc([]byte(claims)) + ".AA"})
	if bad != nil {
		t.Fatal(bad)
	}
	if p.ID != "1" || p.Nonce != "n" || p.Alg != "EdDSA" || p.Thumbprint == "" || !p.At.Equal(at) {
		t.Errorf("%+v", p)
	}
	good := ProofFor{Method: "POST", URLs: []string{"https://AS.example:443/token"}, At: at, Token: "t", Thumbprint: p.Thumbprint}
	if bad := p.Judge(good); bad != nil {
		t.Error(bad)
	}
	for name, change := range map[string]func(*ProofFor){
		"method":  func(w *ProofFor) { w.Method = "GET" },
		"address": func(w *ProofFor) { w.URLs = []string{"https://as.example/token/"} },
		"none":    func(w *ProofFor) { w.URLs = nil },
		"time":    func(w *ProofFor) { w.At = at.Add(ProofWindow + time.Second) },
		"window":  func(w *ProofFor) { w.At, w.Window = at.Add(-2*time.Minute), time.Minute },
		"token":   func(w *ProofFor) { w.Token = "u" },
		"key":     func(w *ProofFor) { w.Thumbprint = "x" },
	} {
		w := good
		if change(&w); p.Judge(w) == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// FuzzProof: whatever the input, it is parsed or refused.
func FuzzProof(f *testing.F) {
	f.Add("e30.e30.AA")
	f.Add("eyJ0eXAiOiJkcG9wK2p3dCJ9.eyJpYXQiOjFlMzAwfQ.AA")
	f.Fuzz(func(t *testing.T, text string) {
		p, bad := ParseProof([]string{text})
		if bad == nil && (p.Thumbprint == "" || p.ID == "" || p.Judge(ProofFor{}) == nil) {
			t.Errorf("%q is taken: %+v", text, p)
		}
	})
}
