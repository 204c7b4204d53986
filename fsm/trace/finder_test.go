package trace

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
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

// within says without haste what holds says: whether a text, or what it is when
// its escapes are undone three times over, contains a spelling.
func within(s []byte, plain, base64 []string, spaced bool) bool {
	has := func(s []byte) bool {
		for _, p := range slices.Concat(plain, base64) {
			if bytes.Contains(s, []byte(p)) {
				return true
			}
		}
		return false
	}
	for range 3 {
		back := unbackslash(nil, s)
		if has(s) || has(back) || has(unpercent(nil, back, false)) || spaced && has(unpercent(nil, back, true)) {
			return true
		}
		s = unpercent(nil, back, false)
	}
	return false
}

// TestFinderEverywhere hides each spelling of each of many secrets, long and
// short, at every distance from the places that the search looks at, among
// escapes, behind escapes, and behind escapes of several kinds.
func TestFinderEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var f finder
	var secrets, plain, base64 []string
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
			secrets, plain = append(secrets, s), append(plain, s)
			base64 = append(base64, spellings(s)[8:]...)
		}
	}
	if len(f.long.slots) == firstSlots || len(f.short.pats) == 0 {
		t.Fatal("no table has grown, or nothing short was learnt")
	}
	held, clean := 0, 0
	try := func(text string) {
		if !within([]byte(text), plain, base64, f.spaced) {
			clean++
			return
		}
		if held++; !f.holds([]byte(text)) {
			t.Errorf("not found in %q", text)
		}
	}
	for n, s := range secrets {
		for k, p := range spellings(s) {
			try(p)
			try(noise(r, (n+k)%40) + p + noise(r, 20))
		}
		// A form inside a JSON text inside a form.
		inner := `{"a":"` + strings.ReplaceAll(url.QueryEscape(s), "%", `\u0025`) + `"}`
		try(noise(r, 3*len(s)) + url.QueryEscape(inner) + strings.Repeat("y", 300))
	}
	if held < 10*len(secrets) {
		t.Errorf("%d texts held a secret, %d did not", held, clean)
	}
	for n, s := range secrets {
		if text := noise(r, n%30) + s[:len(s)/2] + "|" + s[len(s)/2:]; f.holds([]byte(text)) {
			t.Errorf("found in %q", text)
		}
	}
}

// TestFinderFirst: of many patterns the first in the text is given, and of two
// that begin there the longer one.
func TestFinderFirst(t *testing.T) {
	var f finder
	for _, s := range []string{"token-number-0000000001", "token-number-0000000001-and-more", "another-token-of-this-text-1"} {
		f.learn(s)
	}
	for n := range 40 {
		text := strings.Repeat("-", n) + "token-number-0000000001-and-more another-token-of-this-text-1"
		at, p := f.find([]byte(text))
		if p == nil || at != n || p.secret != "token-number-0000000001-and-more" {
			t.Errorf("behind %d: %d %+v", n, at, p)
		}
	}
}

// TestFinderOfMany: a recorder that lives long learns more secrets than one
// table can number.
func TestFinderOfMany(t *testing.T) {
	var f finder
	secret := func(n int) string { return fmt.Sprintf("%08x-secret-number-%d", uint32(n)*2654435761, n) }
	const many = 2500
	for n := range many {
		f.learn(secret(n))
	}
	if f.long.next == nil || f.long.next.next == nil {
		t.Fatal("one table was enough")
	}
	for n := range many {
		if at, p := f.find([]byte("........." + secret(n))); p == nil || at != 9 || p.secret != secret(n) {
			t.Fatalf("%s was not found", secret(n))
		}
	}
	if f.holds([]byte(secret(many)[:20] + " and " + secret(many+1))) {
		t.Error("found what was never learnt")
	}
}
