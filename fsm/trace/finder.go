package trace

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// finder looks for secrets in a text, each as it is, in hexadecimal and as base64 and
// base64url write it, also behind escapes, in letters of any case. It finds what
// wire.Mask finds, so that a machine and its shadow leave out the same scopes.
type finder struct {
	known     []known
	spellings index
	// spaced says that a secret holds a space, which forms write as +.
	spaced bool
	// undone and formed are where a text is rewritten, one after another.
	undone, formed []byte
}

// known is a secret, as it is and in lower case.
type known struct{ secret, lower string }

// usualSecrets is how many secrets most logins have.
const usualSecrets = 12

// shortest is the length of the shortest spelling that is searched for.
const shortest = 8

// empty reports whether there is nothing to look for.
func (f *finder) empty() bool { return len(f.known) == 0 }

// searchable reports whether a secret can be searched for without taking the
// format's own words for it: "secret" is part of client_secret_basic.
func searchable(s string) bool {
	if len(s) < shortest || len(s) > 1<<16 {
		return false
	}
	if len(s) >= 20 {
		return true
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_-. ") != ""
}

// learn adds the spellings of a secret: as it is, in hexadecimal, and as part of the
// base64 of a longer text. There are three alignments of base64. For each, the spelling
// is what base64 makes of the secret without its first zero, one or two bytes, as far as
// it does not depend on the text around the secret.
func (f *finder) learn(secret string) {
	if !searchable(secret) {
		return
	}
	if f.known == nil {
		f.known = make([]known, 0, usualSecrets)
		f.spellings.make(5 * usualSecrets)
	}
	f.known = append(f.known, known{secret, fold(secret)})
	f.spaced = f.spaced || strings.IndexByte(secret, ' ') >= 0
	text := append(make([]byte, 0, 7*len(secret)+12), secret...)
	raw := text
	text = hex.AppendEncode(text, raw)
	f.spellings.add(raw, true)
	f.spellings.add(text[len(raw):], true)
	for skip := range 3 {
		from := len(text)
		text = base64.RawURLEncoding.AppendEncode(text, raw[skip:])
		whole := (len(raw) - skip) * 8 / 6 // at least shortest, as raw is
		f.spellings.add(text[from:from+whole], false)
	}
}

// find gives the first place where a secret appears as it is, and the longest secret
// there. The secret is empty if the text holds none.
func (f *finder) find(s string) (at int, secret string) {
	lower := fold(s)
	at = len(s)
	for _, k := range f.known {
		if n := strings.Index(lower[:min(at+len(k.lower), len(s))], k.lower); n >= 0 && (n < at || len(k.lower) > len(secret)) {
			at, secret = n, k.secret
		}
	}
	return at, secret
}

// fold is s with ASCII letters in lower case.
func fold(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = folded[c]
	}
	return string(b)
}

// named gives the secrets that a text holds.
func (f *finder) named(s string) []string {
	var out []string
	for _, k := range f.known {
		one := finder{known: make([]known, 0, 1)}
		one.spellings.make(5)
		if one.learn(k.secret); one.holds([]byte(s)) {
			out = append(out, k.secret)
		}
	}
	return out
}

// escapeRounds is how many escapes may be nested: a line is JSON, and a URL in it may
// hold a JSON text that is percent-encoded.
const escapeRounds = 4

// holds reports whether a text holds a secret, also behind escapes: percent
// escapes of any of its bytes, and those of JSON strings and of HTML.
func (f *finder) holds(s []byte) bool {
	if f.empty() {
		return false
	}
	if f.spellings.holds(s) {
		return true
	}
	for round := range escapeRounds {
		plus := f.spaced && bytes.IndexByte(s, '+') >= 0
		percent, back := bytes.IndexByte(s, '%') >= 0, bytes.IndexByte(s, '\\') >= 0
		html := escapesHTML(s)
		if !plus && !percent && !back && !html {
			return false
		}
		if round == 0 {
			f.undone = append(f.undone[:0], s...)
			s = f.undone
		}
		if html { // first on its own, because what HTML does not escape may look like another escape
			if f.formed = wire.UnescapeHTML(f.formed[:0], s); f.spellings.holds(f.formed) {
				return true
			}
		}
		if back {
			if s = unbackslash(s[:0], s); f.spellings.holds(s) {
				return true
			}
		}
		if html {
			if s = wire.UnescapeHTML(s[:0], s); f.spellings.holds(s) {
				return true
			}
		}
		if plus {
			if f.formed = unpercent(f.formed[:0], s, true); f.spellings.holds(f.formed) {
				return true
			}
		}
		if percent {
			if s = unpercent(s[:0], s, false); f.spellings.holds(s) {
				return true
			}
		}
	}
	return false
}

// longestEntity is how far behind its sign wire.UnescapeHTML looks for the end of an escape.
const longestEntity = 12

// escapesHTML reports whether a text may hold escapes of HTML.
func escapesHTML(s []byte) bool {
	for {
		i := bytes.IndexByte(s, '&')
		if i < 0 {
			return false
		}
		s = s[i+1:]
		if bytes.IndexByte(s[:min(len(s), longestEntity)], ';') >= 0 {
			return true
		}
	}
}
