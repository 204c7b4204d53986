package wire

import (
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stile-oauth/stile/states/rules"
)

func FuzzDecodeForm(f *testing.F) {
	for _, s := range []string{"a=b&c=d&a=e", "a", "=", "&&a=&=b", "a=%41%zz&b=%", "a+b=c%2Bd", "a=b;c=d", "a=%00%ff"} {
		f.Add(s)
	}
	_, callbacks := traced(f)
	for _, c := range callbacks {
		_, query, _ := strings.Cut(c, "?")
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fs, ok := DecodeForm(s)
		// net/url reads the same fields, in no order. It refuses semicolons, which have no
		// special meaning in the form of RFC 6749, Appendix B.
		if !strings.Contains(s, ";") {
			std, err := url.ParseQuery(s)
			if ok != (err == nil) {
				t.Fatalf("%q: %v, net/url says %v", s, ok, err)
			}
			n := 0
			for name, values := range std {
				n += len(values)
				var have []string
				for _, f := range fs {
					if f.Name == name {
						have = append(have, f.Value)
					}
				}
				if !slices.Equal(have, values) {
					t.Fatalf("%q is %q, for net/url %q", name, have, values)
				}
			}
			if n != len(fs) {
				t.Fatalf("%d fields, for net/url %d", len(fs), n)
			}
		}
		if back, ok := DecodeForm(EncodeForm(fs)); !ok || !slices.Equal(back, fs) {
			t.Fatalf("%v goes round as %v", fs, back)
		}
	})
}

func FuzzParseScope(f *testing.F) {
	for _, s := range []string{"user admin", " a  a b ", "a,b", `a"b c\d é`, "a\tb", ""} {
		f.Add(s, "user")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		a, b := ParseScope(one), ParseScope(two)
		for i, tok := range a {
			if !scopeToken(tok) || tok == "" || slices.Contains(a[:i], tok) || !slices.Contains(strings.Split(one, " "), tok) {
				t.Fatalf("%q holds %q", one, a)
			}
		}
		if again := ParseScope(JoinScope(a)); !slices.Equal(again, a) {
			t.Fatalf("%q goes round as %q", a, again)
		}
		all := Union(a, b)
		if !Covers(all, a) || !Covers(all, b) || len(all) > len(a)+len(b) || !slices.Equal(all[:len(a)], a) {
			t.Fatalf("%q and %q are %q", a, b, all)
		}
		if more := Missing(a, b); Covers(a, b) != (len(more) == 0) || !EqualScopes(Union(a, more), all) {
			t.Fatalf("%q lacks %q of %q", a, more, b)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"120", " 7 ", "-1", "+3", "99999999999999999999", "Tue, 28 Jul 2026 12:00:30 GMT", "Tuesday, 28-Jul-26 12:00:30 GMT", "Tue Jul 28 12:00:30 2026", "1.5", "", "0x10"} {
		f.Add(s)
	}
	at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, v string) {
		wait, ok := RetryAfter(Response{Header: Fields{{Name: "retry-after", Value: v}}}, at)
		if wait < 0 || wait > maxRetryAfter || !ok && wait != 0 {
			t.Fatalf("%q: wait %s, %v", v, wait, ok)
		}
		// A date that net/http reads is the same date here.
		if date, err := http.ParseTime(strings.TrimSpace(v)); err == nil {
			if want := min(max(date.Sub(at), 0), maxRetryAfter); !ok || wait != want {
				t.Fatalf("%q: %s, %v; for net/http %s", v, wait, ok, want)
			}
		}
	})
}

// FuzzSeconds: a number of seconds reads the same as with exact arithmetic.
func FuzzSeconds(f *testing.F) {
	for _, s := range []string{"3600", `"3600"`, "3600.0", "3.6e3", "-1", "0.5", "1e400", `""`, `"-3"`, `"1.0"`, "null", "9223372036854775807", "9223372036854775808", "1e-9", "-0", `"007"`, "[1]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		obj, err := ParseObject(append(append([]byte(`{"n":`), raw...), '}'))
		if err != nil || len(obj) != 1 {
			return
		}
		n, kind := rawSeconds(obj[0].Raw)
		if n < 0 || (kind == numberNegative || kind == numberJunk) && n != 0 {
			t.Fatalf("%s: %d, kind %d", raw, n, kind)
		}
		text, isText := rawString(obj[0].Raw)
		if !isText {
			text = string(obj[0].Raw)
		}
		if len(text) > 20 || strings.ContainsAny(text, "eE") && len(text) > 8 {
			return // too large for exact arithmetic
		}
		exact, good := new(big.Rat).SetString(text)
		switch {
		case isText && (kind == numberText) != (text != "" && strings.Trim(text, "0123456789") == ""):
			t.Fatalf("the text %q is of kind %d", text, kind)
		case isText:
		case !good || strings.Trim(text, "0123456789+-.eE") != "":
			if kind != numberJunk {
				t.Fatalf("%s is no number and of kind %d", text, kind)
			}
			return
		case exact.Sign() < 0 && kind != numberNegative && n != 0:
			t.Fatalf("%s is of kind %d", text, kind)
		case exact.Sign() > 0 && !exact.IsInt() && kind == numberPlain && exact.Cmp(big.NewRat(1<<52, 1)) < 0:
			t.Fatalf("%s is whole", text)
		}
		if kind == numberPlain && exact.IsInt() && exact.Num().IsInt64() && len(text) < 16 && exact.Num().Int64() != n {
			t.Fatalf("%s is %d", text, n)
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"plain", "a\x1b[31mb", "\u202eevil", "é\u0301", "\xff\xfe", strings.Repeat("é", 90), "a\u2028b\u00a0c\u200b"} {
		f.Add(s, 40)
	}
	f.Fuzz(func(t *testing.T, s string, most int) {
		most %= 300
		out := Clean(s, most)
		if len(out) > max(most, 0) || !utf8.ValidString(out) || strings.ContainsAny(out, "\x1b\r\n\x00\u202e\u2028\u200b\u00a0") {
			t.Fatalf("%q is cleaned to %q with %d bytes", s, out, most)
		}
		if again := Clean(out, most); again != out {
			t.Fatalf("%q is cleaned to %q, that to %q", s, out, again)
		}
	})
}

// FuzzErrorResponse: whatever an endpoint answers falls into one class, and an OAuth error
// is read only in a class that may have one.
func FuzzErrorResponse(f *testing.F) {
	f.Add(400, "application/json", "", `{"error":"invalid_grant","error_description":"x","error_uri":"https://as.example/e"}`)
	f.Add(401, "text/html", `Basic realm="as"`, `<html>`)
	f.Add(503, "", "", `{"error":"invalid_grant"}`)
	f.Add(200, "application/x-www-form-urlencoded", "", `error=bad_verification_code&error_description=a+b`)
	f.Add(400, "application/json", "", `{"ok":false}`)
	f.Add(400, "application/json", "", `{"error":{"code":1}}`)
	f.Add(400, "application/json", "", `{"error":"unsupported_token_type"}`)
	all, _ := traced(f)
	for _, e := range all {
		f.Add(e.status, e.get("Content-Type"), e.get("WWW-Authenticate"), e.body)
	}
	f.Fuzz(func(t *testing.T, status int, media, www, body string) {
		r := Response{Status: status, Header: Fields{{Name: "Content-Type", Value: media}, {Name: "WWW-Authenticate", Value: www}}, Body: []byte(body)}
		e := ParseOAuthError(r)
		if e != nil {
			presentable(t, nil, &Problem{Rule: rules.TokenRespErrorStatus, OAuth: e})
			if status >= 300 && (status < 400 || status > 499 || status == 429) {
				t.Fatalf("an error of the protocol in status %d", status)
			}
		}
		bad := JudgeRevocation(r)
		presentable(t, nil, bad)
		if ok := status >= 200 && status < 300; ok && bad != nil || !ok && bad == nil && e == nil {
			t.Fatalf("revoked with status %d: %v", status, bad)
		}
	})
}
