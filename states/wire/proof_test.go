package wire

import (
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// TestProofForm: a proof without one of its parts is none.
//
// Rules: ext-dpop-one-header, ext-dpop-proof-form.
func TestProofForm(t *testing.T) {
	const head = `{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"OKP","crv":"Ed25519","x":"AA"}}`
	const claims = `{"jti":"1","htm":"POST","htu":"https://as.example/token","iat":1000.5}`
	for _, c := range []struct {
		old, new string
		ok       bool
	}{
		{"", "", true},
		{`"dpop+jwt"`, `"DPoP+JWT"`, true},
		{`"dpop+jwt"`, `"jwt"`, false},
		{`"ES256"`, `"HS256"`, false},
		{`"ES256"`, `"none"`, false},
		{`"AA"`, `"AA","d":"AA"`, false},
		{`"jwk":{"kty":"OKP","crv":"Ed25519","x":"AA"}`, `"kid":"1"`, false},
		{`"jti":"1"`, `"jti":""`, false},
		{`"jti":"1"`, `"jti":"` + strings.Repeat("x", 512) + `"`, true},
		{`"jti":"1"`, `"jti":"` + strings.Repeat("x", 513) + `"`, false},
		{`"POST"`, `""`, false},
		{`"https://as.example/token"`, `""`, false},
		{`1000.5`, `"x"`, false},
		{`,"iat":1000.5`, ``, false},
		{`1000.5`, `1e12`, true},
		{`1000.5`, `1.1e12`, false},
		{`1000.5`, `-1.1e12`, false},
	} {
		h, b := head, claims
		if strings.Contains(head, c.old) {
			h = edit(t, head, c.old, c.new)
		} else {
			b = edit(t, claims, c.old, c.new)
		}
		p, bad := ParseProof([]string{unsigned(h, b).Reveal()})
		if (bad == nil) != c.ok || bad != nil && bad.Rule != rules.ExtDPoPProofForm {
			t.Errorf("%s.%s: %v", h, b, bad)
		}
		if c.old == "" && p.At.Unix() != 1000 {
			t.Errorf("at %v", p.At)
		}
	}
	good := unsigned(head, claims).Reveal()
	long := unsigned(head, edit(t, claims, `{`, `{"x":"`+strings.Repeat("x", 8<<10)+`",`)).Reveal()
	for _, list := range [][]string{nil, {good, good}, {good + ".x"}, {"x"}, {long}, {good[1:]}, {"e30." + good}, {strings.Replace(good, ".", "=.", 1)}} {
		if _, bad := ParseProof(list); bad == nil {
			t.Errorf("%.60q is taken", list)
		}
	}
	p, bad := ParseProof([]string{good})
	if bad != nil {
		t.Fatal(bad)
	}
	for _, c := range []struct {
		off time.Duration
		ok  bool
	}{{time.Minute, true}, {-time.Minute, true}, {time.Minute + time.Second, false}, {-time.Minute - time.Second, false}} {
		if got := p.Judge(ProofFor{Method: "POST", URLs: []string{"https://b.example/", "https://as.example/token?q"}, At: time.Unix(1000, 0).Add(c.off), Window: time.Minute}); (got == nil) != c.ok {
			t.Errorf("%v off: %v", c.off, got)
		}
	}
	for _, target := range []string{"https://as.example/token?q", "https://as.example/token#f", "https://u@as.example/token", "://", "https://as.example/tokens"} {
		p, bad := ParseProof([]string{unsigned(head, edit(t, claims, "https://as.example/token", target)).Reveal()})
		if bad != nil {
			t.Fatal(bad)
		}
		if p.Judge(ProofFor{Method: "POST", URLs: []string{"https://as.example/token"}, At: p.At}) == nil {
			t.Errorf("a proof for %s", target)
		}
	}
}

// TestProofNonce: a nonce is one field of visible characters.
//
// Rules: ext-dpop-rs-nonce.
func TestProofNonce(t *testing.T) {
	for v, ok := range map[string]bool{
		"a": true, "!~": true, strings.Repeat("x", 1024): true, strings.Repeat("x", 1025): false, "": false,
		"a b": false, "a\x7f": false, `a"`: false, `a\`: false, "é": false, "\x01": false,
	} {
		if got := ProofNonce(Response{Header: Fields{{Name: "dpop-nonce", Value: v}}}); ok != (got == v && v != "") {
			t.Errorf("%.20q: %q", v, got)
		}
	}
	if ProofNonce(Response{Header: Fields{{Name: "DPoP-Nonce", Value: "a"}, {Name: "DPoP-Nonce", Value: "b"}}}) != "" || ProofNonce(Response{}) != "" {
		t.Error("two nonces, or none, are one")
	}
}
