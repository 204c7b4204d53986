package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// shown is the maximum length of a peer's string inside a detail.
const shown = 200

// Clean makes a peer's string fit to be shown: control characters, bidi and other
// format characters, line separators, unusual spaces and invalid UTF-8 become U+FFFD. A
// text longer than max bytes is cut, with an ellipsis in place of the rest. The result
// never has more than max bytes (if max is below 3, a text that does not fit gives an
// empty string).
//
// Rules: authz-resp-error-charset, authz-resp-error-escaped,
// prm-display-untrusted.
func Clean(s string, max int) string {
	if len(s) <= max && plain(s) {
		return s
	}
	const ellipsis = "…"
	var b strings.Builder
	cut := -1 // where the text ends if it turns out to be too long
	for _, r := range s {
		if !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		if b.Len()+len(ellipsis) <= max {
			cut = b.Len()
		}
		if b.Len()+utf8.RuneLen(r) > max {
			if cut < 0 {
				return ""
			}
			return b.String()[:cut] + ellipsis
		}
		b.WriteRune(r)
	}
	return b.String()
}

// plain reports whether s is printable ASCII, which needs no cleaning.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// quoted is a peer's string as it is shown in a detail.
func quoted(s string) string { return `"` + Clean(s, shown) + `"` }
