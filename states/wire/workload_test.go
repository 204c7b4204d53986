package wire_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Rules: ext-wif-aud-either, ext-wif-claims.
func TestJudgeWorkload(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	jwt := func(claims string) wire.Secret {
		return wire.Secret("eyJhbGciOiJFUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2lnbmF0dXJl")
	}
	for _, c := range []struct {
		name string
		jwt  wire.Secret
		rule rules.ID
	}{
		{"for the issuer", jwt(`{"aud":"https://as.example","exp":1800000001}`), ""},
		{"with a slash", jwt(`{"aud":"https://as.example/","exp":1800000001}`), ""},
		{"for the token endpoint", jwt(`{"aud":"https://as.example/token","exp":1800000001}`), ""},
		{"for several", jwt(`{"aud":["sts.elsewhere.example","https://as.example"],"exp":1800000001.5}`), ""},
		{"for another", jwt(`{"aud":"https://evil.example","exp":1800000001}`), rules.ExtWIFAudEither},
		{"for a longer name", jwt(`{"aud":"https://as.example.evil.example","exp":1800000001}`), rules.ExtWIFAudEither},
		{"for nobody", jwt(`{"exp":1800000001}`), rules.ExtWIFAudEither},
		{"expired", jwt(`{"aud":"https://as.example","exp":1800000000}`), rules.ExtWIFClaims},
		{"without an end", jwt(`{"aud":"https://as.example"}`), rules.ExtWIFClaims},
		{"an end that is none", jwt(`{"aud":"https://as.example","exp":"soon"}`), rules.ExtWIFClaims},
		{"claims twice", jwt(`{"aud":"https://evil.example","aud":"https://as.example","exp":1800000001}`), rules.ExtWIFClaims},
		{"no claims", jwt(`[]`), rules.ExtWIFClaims},
		{"no JWT", "secret-of-another-kind", rules.ExtWIFClaims},
		{"no base64", "a.!.c", rules.ExtWIFClaims},
	} {
		bad := wire.JudgeWorkload(c.jwt, []string{"https://as.example", "https://as.example/token"}, at)
		switch {
		case (bad == nil) != (c.rule == ""), bad != nil && bad.Rule != c.rule:
			t.Errorf("%s: %v", c.name, bad)
		}
		if c.name == "without an end" && bad != nil && bad.Detail != "the workload's assertion has no exp" {
			t.Errorf("%s: %v", c.name, bad)
		}
	}
}

func FuzzJudgeWorkload(f *testing.F) {
	f.Add([]byte(`{"aud":"https://as.example","exp":1800000001}`))
	f.Add([]byte(`{"aud":["a","https://as.example"],"exp":1e3}`))
	f.Fuzz(func(t *testing.T, claims []byte) {
		jwt := wire.Secret("e30." + base64.RawURLEncoding.EncodeToString(claims) + ".x")
		if bad := wire.JudgeWorkload(jwt, []string{"https://as.example"}, time.Unix(1_800_000_000, 0)); bad != nil && !bad.Refuse {
			t.Errorf("%v", bad)
		}
	})
}
