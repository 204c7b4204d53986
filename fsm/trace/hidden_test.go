package trace

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// hidden writes every byte of a text with a format.
func hidden(s, format string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

// TestHiddenSecrets: a secret is found in a line behind each escape that a text may have, also
// several at once, so that no line with it is given out.
func TestHiddenSecrets(t *testing.T) {
	const plain = "CANARY-token-0001"
	times := func(n int, s string) string {
		for range n {
			s = url.QueryEscape(s)
		}
		return s
	}
	for name, c := range map[string]struct{ secret, text string }{
		"a tab":                           {"CANARY\ttok1", `CANARY\ttok1`},
		"a line end":                      {"CANARY\ntok1", `CANARY\ntok1`},
		"a carriage return":               {"CANARY\rtok1", `CANARY\rtok1`},
		"a backspace":                     {"CANARY\btok1", `CANARY\btok1`},
		"a form feed":                     {"CANARY\ftok1", `CANARY\ftok1`},
		"a slash":                         {"CANARY/tok1", `CANARY\/tok1`},
		"JSON":                            {plain, hidden(plain, `\u%04x`)},
		"JSON in capitals":                {plain, hidden(plain, `\u%04X`)},
		"HTML":                            {plain, hidden(plain, "&#%d;")},
		"HTML with zeros":                 {plain, hidden(plain, "&#x%09x;")},
		"HTML at the beginning":           {plain, "&#67;" + plain[1:]},
		"HTML behind another sign":        {plain, "&c &#67;" + plain[1:]},
		"HTML in JSON":                    {`CANARY&tok"1`, `CANARY&amp;tok\"1`},
		"JSON in HTML":                    {`CANARY&tok"1`, `CANARY\u0026tok&quot;1`},
		"percent":                         {plain, hidden(plain, "%%%02x")},
		"percent at the end":              {plain, plain[:len(plain)-1] + "%31"},
		"percent behind a lone one":       {plain, "100%, " + hidden(plain, "%%%02X")},
		"percent of percent, four times":  {"CANARY+token/0001=", times(4, "CANARY+token/0001=")},
		"a form":                          {"CANARY token 0001", "CANARY+token+0001"},
		"a form, escaped":                 {"CANARY token+0001", "CANARY+token%2B0001"},
		"a form at its beginning":         {" CANARYtok01", "+CANARYtok01"},
		"percent beside a lone one in it": {"CANARY%tok-0001", "CANARY%tok%2D0001"},
		"percent beside a half one in it": {"CANARY%Agtok-0001", "CANARY%Agtok%2D0001"},
		"no whole escape of JSON":         {"CANARY/utok01", `CANARY\/\utok01`},
		"a form in JSON":                  {"CANARY token/0001", `CANARY+token\/0001`},
		"other letters":                   {plain, strings.ToLower(plain)},
		"hexadecimal in capitals":         {plain, strings.ToUpper(hidden(plain, "%02x"))},
	} {
		var f finder
		f.learn(c.secret)
		for _, around := range [][2]string{{"", ""}, {`{"x":"`, `"}`}, {"% ", " %"}, {`\\`, "&"}, {"+", `\`}} {
			if text := around[0] + c.text + around[1]; !f.holds([]byte(text)) {
				t.Errorf("%s: %q is not found in %q", name, c.secret, text)
			}
		}
		if f.holds([]byte(strings.Replace(c.text, "C", "D", 1)+" & + % \\")) && c.text[0] == 'C' {
			t.Errorf("%s: %q is found in another text", name, c.secret)
		}
	}
}

// TestWhatIsSearchedFor: what is shorter than eight characters, or a plain word, is part of many
// texts, and is not searched for; and neither is what is longer than any token.
func TestWhatIsSearchedFor(t *testing.T) {
	for s, want := range map[string]bool{
		"CANARY1": false, "CANARY12": true, strings.Repeat("a", 19): false, strings.Repeat("a", 20): true, "client_secret_basic": false,
		"client-secret.of mine": true, "client-secretX": true, strings.Repeat("x", 1<<16): true, strings.Repeat("x", 1<<16+1): false,
	} {
		var f finder
		f.learn(s)
		if got := f.holds([]byte("before " + s + " after")); got != want {
			t.Errorf("%.30q of %d characters: %v", s, len(s), got)
		}
	}
}

// TestLongerSecret: of two secrets that begin at one place the longer one is replaced, whichever
// was seen first, so that no end of it stays.
func TestLongerSecret(t *testing.T) {
	short, long := "CANARY-token-0001", "CANARY-token-0001-and-its-end"
	for _, order := range [][]string{{short, long}, {long, short}} {
		m := newMask()
		m.careful = true
		for _, s := range order {
			m.sub(kindAccess, s)
		}
		if got, want := m.keep("user "+long+" x"), "user "+m.known[long]+" x"; got != want {
			t.Errorf("%q: %q, want %q", order, got, want)
		}
	}
}

// TestSecretOfSeveralWords: a secret that is escaped and extends over several words of a text is in no part of
// what is kept of it.
func TestSecretOfSeveralWords(t *testing.T) {
	m := newMask()
	m.careful = true
	m.sub(kindAccess, "CANARY-token 0001")
	if got := m.keep("user CANARY%2Dtoken 0001"); strings.Contains(got, "CANARY") || strings.Contains(got, "0001") {
		t.Error(got)
	}
	if got, want := m.keep(`user x"CANARY%2Dtoken%200001"`), `user access-1%20x"`; got != want {
		t.Errorf("a secret between quotation marks: %q, not %q", got, want)
	}
	m.sub(kindCode, "CANARY-1://code-0001") // looks like an address
	if got := m.keep("user CANARY%2D1://code-0001"); strings.Contains(got, "code-0001") || !strings.HasPrefix(got, "user code-1") {
		t.Errorf("a secret that looks like an address: %q", got)
	}
	if got := m.keep("a\xffb"); got != "a\uFFFDb" {
		t.Errorf("what is no UTF-8: %q", got)
	}
	// A stand-in of another trace is no secret, even if it gets a stand-in of its own.
	if other := m.sub(kindCode, m.sub(kindAccess, "CANARY-another-token")); m.finder.holds([]byte("access-2")) || other == "access-2" {
		t.Errorf("%q is searched for", other)
	}
}
