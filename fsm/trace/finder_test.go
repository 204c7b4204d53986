package trace

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFinder(t *testing.T) {
	var f finder
	secrets := []string{"tok_0123456789", "CANARY-client-secret", `awkward s3cr3t+/=&%"\<>`, strings.Repeat("ab", 400)}
	for _, s := range secrets {
		f.learn(s)
	}
	for _, s := range secrets {
		for _, p := range spellings(s) {
			for _, around := range [][2]string{{"", ""}, {"x", "y"}, {`{"a":"`, `"}`}} {
				if !f.holds([]byte(around[0] + p + around[1])) {
					t.Errorf("%q was not found in %q", s, p)
				}
			}
		}
	}
	for _, s := range []string{"", "tok_012345678", "client_secret_basic", `{"registration_endpoint":"https://as.example/register"}`} {
		if f.holds([]byte(s)) {
			t.Errorf("found in %q", s)
		}
	}
	f.learn("plus+and/slash=0")
	if f.holds([]byte("plus-and_slash=0")) || !f.holds([]byte("x PLUS+AND/slash=0")) {
		t.Error("the alphabets of base64 are taken for each other in a text that is none")
	}
	f.learn("secret")
	f.learn("client-secret")
	if f.holds([]byte("client_secret_basic client-secret")) {
		t.Error("a plain word is searched for")
	}
}

// noise gives n bytes that no secret begins with; some of them begin escapes.
func noise(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = `ab cd{}":,%\+2u05`[r.IntN(17)]
	}
	return string(b)
}

// TestFinderEverywhere hides each spelling of each of many secrets among
// escapes, behind escapes, and behind escapes of several kinds.
func TestFinderEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var f finder
	var secrets []string
	for n := range 120 {
		b := make([]byte, 8+n%60)
		for i := range b {
			b[i] = "ABCDEFGHIJ0123456789-_.~+/= "[r.IntN(28)]
			if n%5 == 0 {
				b[i] = byte(r.IntN(256))
			}
		}
		if s := string(b); searchable(s) {
			f.learn(s)
			secrets = append(secrets, s)
		}
	}
	for n, s := range secrets {
		for k, p := range spellings(s) {
			if k >= 5 && k < 8 && !utf8.ValidString(s) {
				continue // JSON has no spelling of it
			}
			for _, text := range []string{p, noise(r, (n+k)%40) + "." + p + "." + noise(r, 20)} {
				if !f.holds([]byte(text)) {
					t.Errorf("spelling %d of %q was not found in %q", k, s, text)
				}
			}
		}
		// A form inside a JSON text inside a form.
		inner := `{"a":"` + strings.ReplaceAll(url.QueryEscape(s), "%", `\u0025`) + `"}`
		if text := noise(r, 3*len(s)) + "." + url.QueryEscape(inner); !f.holds([]byte(text)) {
			t.Errorf("%q was not found in %q", s, text)
		}
	}
	for n, s := range secrets {
		if text := noise(r, n%30) + s[:len(s)/2] + "|" + s[len(s)/2:]; f.holds([]byte(text)) {
			t.Errorf("found in %q", text)
		}
	}
}

// TestFinderFirst: of many secrets the first in the text is given, and of two
// that begin there the longer one.
func TestFinderFirst(t *testing.T) {
	var f finder
	for _, s := range []string{"token-number-0000000001", "another-token-of-this-text-1", "token-number-0000000001-and-more"} {
		f.learn(s)
	}
	for n := range 40 {
		text := strings.Repeat("-", n) + "token-number-0000000001-and-more another-token-of-this-text-1"
		if at, secret := f.find(text); at != n || secret != "token-number-0000000001-and-more" {
			t.Errorf("behind %d: %d %q", n, at, secret)
		}
	}
	if at, secret := f.find("token-number-0000000001 token-number-0000000001-and-more"); at != 0 || secret != "token-number-0000000001" {
		t.Errorf("a longer one comes later: %d %q", at, secret)
	}
	var other finder
	other.learn("token-number-0000000001-and-more")
	other.learn("another-token-of-this-text-1")
	if at, secret := other.find("another-token-of-this-text-1 token-number-0000000001-and-more"); at != 0 || secret != "another-token-of-this-text-1" {
		t.Errorf("a longer one that was learned before comes later: %d %q", at, secret)
	}
}

// TestFinderOfMany: what is looked for through the index is found in each spelling, at
// either end of a text and within it, and nothing else is, also where all secrets begin
// or end alike.
func TestFinderOfMany(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var f finder
	var secrets []string
	for n := range 3000 {
		s := []byte(noise(r, 30+n%50))
		for i := range s {
			s[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/-_"[r.IntN(40)]
		}
		secret := string(s)
		switch n % 3 {
		case 0:
			secret = "eyJhbGciOiJFUzI1NiJ9." + secret
		case 1:
			secret += ".the-same-end-of-all"
		}
		f.learn(secret)
		secrets = append(secrets, secret)
	}
	for n, s := range secrets {
		if n%7 != 0 && n > 30 {
			continue
		}
		for k, p := range spellings(s) {
			for _, text := range []string{p, "." + p, p + ".", noise(r, n%40) + "." + p + "." + noise(r, 20)} {
				if !f.holds([]byte(text)) {
					t.Fatalf("spelling %d of secret %d, %q, was not found in %q", k, n, s, text)
				}
			}
		}
		if text := s[:len(s)-1] + "|" + s[1:]; f.holds([]byte(text)) {
			t.Fatalf("found in %q", text)
		}
	}
}
