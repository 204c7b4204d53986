package wire

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// log-error-echo
func TestMask(t *testing.T) {
	secrets := []Secret{"8xLOxBtZp8Kq2mVf4nR1wQ0u", "", "read", "user name with spaces 1", "short-1A"}
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"Invalid refresh token: 8xLOxBtZp8Kq2mVf4nR1wQ0u.", "Invalid refresh token: secret(…)."},
		{"twice 8xLOxBtZp8Kq2mVf4nR1wQ0u8xLOxBtZp8Kq2mVf4nR1wQ0u", "twice secret(…)secret(…)"},
		{"in small 8xloxbtzp8kq2mvf4nr1wq0u", "in small secret(…)"},
		{"%38x%4cOxBtZp8Kq2mVf4nR1wQ0u is gone", "secret(…) is gone"},
		{`\u0038x\u004cOxBtZp8Kq2mVf4nR1wQ0u`, "secret(…)"},
		{"form user+name+with+spaces+1 !", "form secret(…) !"},
		{"plain user name with spaces 1 !", "plain secret(…) !"},
		{"percent user%20name%20with%20spaces%201 !", "percent secret(…) !"},
		{"short-1A and short-1B", "secret(…) and short-1B"},
		{"the scope read is missing", "the scope read is missing"},
		{"hexadecimal 38784C4F784274 no 38784c4f7842745a70384b71326d5666346e5231775130750a", "hexadecimal 38784C4F784274 no secret(…)0a"},
		{"HTML &#56;xLOxBtZp8Kq2mVf4nR1wQ&#x30;u &amp;", "HTML secret(…) &amp;"},
		{"no HTML & &; &#; &#x; &#99999999; &nobody;", "no HTML & &; &#; &#x; &#99999999; &nobody;"},
		{"cut off 8xLOxBtZp8K…", "cut off secret(…)"},
		{"cut off something…", "cut off something…"},
		{"percent %", "percent %"},
		{`\`, `\`},
	} {
		if got := Mask(tc.in, secrets); got != tc.want {
			t.Errorf("%q becomes %q, want %q", tc.in, got, tc.want)
		}
	}
}

// TestUnquoted: the texts in a list that hold a secret in any spelling are removed.
// Rules: log-error-echo.
func TestUnquoted(t *testing.T) {
	secrets := []Secret{"8xLOxBtZp8Kq2mVf4nR1wQ0u", "", "read", "s3cret"}
	honest := []string{"read", "write:8xLOxBtZp8Kq2mVf4nR1wQ0", "a-scope-that-is-rather-long-as-some-are"}
	if got := Unquoted(honest, secrets); !slices.Equal(got, honest) {
		t.Errorf("of honest texts: %q", got)
	}
	quoting := []string{
		"8xLOxBtZp8Kq2mVf4nR1wQ0u", "a:8XLOXBTZP8KQ2MVF4NR1WQ0U/b", "%38xLOxBtZp8Kq2mVf4nR1wQ0u", `\u0038xLOxBtZp8Kq2mVf4nR1wQ0u`,
		"OHhMT3hCdFpwOEtxMm1WZjRuUjF3UTB1", "QmVhcmVyIDh4TE94QnRacDhLcTJtVmY0blIxd1EwdQ==", "38784c4f7842745a70384b71326d5666346e523177513075",
		"&#x38;xLOxBtZp8Kq2mVf4nR1wQ0u", "a-s3cret",
	}
	if got := Unquoted(slices.Concat(honest, quoting), secrets); !slices.Equal(got, honest) {
		t.Errorf("of all: %q", got)
	}
}

// FuzzMask: a secret is removed, wherever it is in a text and however it is spelled.
func FuzzMask(f *testing.F) {
	f.Add("8xLOxBtZp8Kq2mVf4nR1wQ0u", "Invalid token: ", ".")
	f.Add("p%/ +\"\\q1234567", "a", "b")
	f.Add("ÄÖÜ-secret-4711", "%", "…")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		if len(secret) < longSecret || len(secret) > 200 || strings.Trim(secret, wordBytes) == "" || strings.Contains(mask, secret) {
			return
		}
		e := base64.StdEncoding.EncodeToString([]byte(before + ":" + secret + after))
		for _, s := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if got := Mask(before+s+after, []Secret{Secret(secret)}); strings.Contains(got, s) && !strings.Contains(before+after, s) {
				t.Fatalf("%q of %q is in %q", s, secret, got)
			}
		}
		if got := Mask("Basic "+e, []Secret{Secret(secret)}); strings.Contains(got, e) {
			t.Fatalf("%q is in %q", secret, got)
		}
	})
}
