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
	// known are the secrets. The spellings of the first are looked for one by one,
	// which is quick for the few of a login; those of the others are in the two indexes.
	known        []known
	plain, coded index
	// spaced says that a secret holds a space, which forms write as +.
	spaced bool
	// lower, turned, undone and formed are where a text is rewritten, one after another.
	lower, turned, undone, formed []byte
}

// known is a secret with its spellings.
type known struct {
	secret string
	// plain and hex are the secret in small letters, and in hexadecimal.
	plain, hex []byte
	// base64 are what base64url makes of a longer text that holds the secret, at
	// each of the three alignments, in small letters and without the characters that
	// also depend on what stands around it.
	base64 [3][]byte
}

// usualSecrets is how many secrets most logins have, and oneByOne how many are
// looked for without an index.
const (
	usualSecrets = 12
	oneByOne     = 2 * usualSecrets
)

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

// learn makes a secret findable.
func (f *finder) learn(secret string) {
	if !searchable(secret) {
		return
	}
	f.spaced = f.spaced || strings.IndexByte(secret, ' ') >= 0
	k := known{secret: secret}
	// What does not depend on the text before the secret is what base64 makes of
	// it without its first bytes: of none, two or one of them.
	f.undone = append(f.undone[:0], secret...)
	raw, text := f.undone, make([]byte, 0, 7*len(secret)+12)
	text = fold(text, raw)
	k.plain = text
	text = hex.AppendEncode(text, raw)
	k.hex = text[len(raw):]
	for skip := range k.base64 {
		from := len(text)
		text = base64.RawURLEncoding.AppendEncode(text, raw[skip:])
		if whole := (len(raw) - skip) * 8 / 6; whole >= shortest {
			k.base64[skip] = text[from : from+whole]
			fold(k.base64[skip][:0], k.base64[skip])
		}
	}
	if f.known == nil {
		f.known = make([]known, 0, usualSecrets)
	}
	f.known = append(f.known, k)
	if len(f.known) <= oneByOne {
		return
	}
	f.plain.add(k.plain)
	f.plain.add(k.hex)
	for _, b := range k.base64 {
		if b != nil {
			f.coded.add(b)
		}
	}
}

// find gives the first place where a secret stands as it is, and the longest
// one there; empty when the text holds none.
func (f *finder) find(s string) (at int, secret string) {
	lower := fold(nil, []byte(s))
	at = len(s)
	for i := range f.known {
		k := &f.known[i]
		if n := bytes.Index(lower[:min(at+len(k.plain), len(s))], k.plain); n >= 0 && (n < at || len(k.plain) > len(secret)) {
			at, secret = n, k.secret
		}
	}
	return at, secret
}

// spelt reports whether a text holds a spelling of a secret. Of base64 both
// alphabets will do, also mixed.
func (f *finder) spelt(s []byte) bool {
	if cap(f.lower) < len(s) {
		f.lower, f.turned = make([]byte, max(len(s), usualLine)), make([]byte, max(len(s), usualLine))
	}
	lower, url := f.lower[:len(s)], f.turned[:len(s)]
	for i, c := range s {
		lower[i], url[i] = folded[c], turned[c]
	}
	for i := range f.known[:min(len(f.known), oneByOne)] {
		k := &f.known[i]
		if bytes.Contains(lower, k.plain) || bytes.Contains(lower, k.hex) {
			return true
		}
		for _, b := range k.base64 {
			if b != nil && bytes.Contains(url, b) {
				return true
			}
		}
	}
	return f.plain.holds(lower) || f.coded.holds(url)
}

// fold appends s with the letters of ASCII in small.
func fold(out, s []byte) []byte {
	from := len(out)
	out = append(out, s...)
	for i, c := range out[from:] {
		out[from+i] = folded[c]
	}
	return out
}

// folded is each byte, a letter in small; turned also reads the alphabet of base64 as
// that of base64url.
var folded, turned = func() (small, url [256]byte) {
	for i := range small {
		c := byte(i)
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		small[i], url[i] = c, c
	}
	url['+'], url['/'] = '-', '_'
	return small, url
}()

// named gives the secrets that a text holds.
func (f *finder) named(s string) []string {
	var out []string
	for i := range f.known {
		one := finder{known: f.known[i : i+1], spaced: f.spaced}
		if one.holds([]byte(s)) {
			out = append(out, f.known[i].secret)
		}
	}
	return out
}

// escapeRounds is how deep escapes may lie inside one another: a line is JSON,
// and a URL in it may hold a JSON text that is percent-encoded.
const escapeRounds = 4

// holds reports whether a text holds a secret, also behind escapes: percent
// escapes of any of its bytes, and those of JSON strings and of HTML.
func (f *finder) holds(s []byte) bool {
	if f.empty() {
		return false
	}
	if f.spelt(s) {
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
		if html { // alone first: what HTML does not escape may look like another escape
			if f.formed = wire.UnescapeHTML(f.formed[:0], s); f.spelt(f.formed) {
				return true
			}
		}
		if back {
			if s = unbackslash(s[:0], s); f.spelt(s) {
				return true
			}
		}
		if html {
			if s = wire.UnescapeHTML(s[:0], s); f.spelt(s) {
				return true
			}
		}
		if plus {
			if f.formed = unpercent(f.formed[:0], s, true); f.spelt(f.formed) {
				return true
			}
		}
		if percent {
			if s = unpercent(s[:0], s, false); f.spelt(s) {
				return true
			}
		}
	}
	return false
}

// escapesHTML reports whether a text may hold escapes of HTML.
func escapesHTML(s []byte) bool {
	for {
		i := bytes.IndexByte(s, '&')
		if i < 0 {
			return false
		}
		s = s[i+1:]
		if n := bytes.IndexByte(s[:min(len(s), 11)], ';'); n > 0 {
			return true
		}
	}
}
