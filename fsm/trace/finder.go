package trace

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// finder looks for secrets in a text, each as it is and as base64 and base64url
// write it, also behind escapes.
type finder struct {
	// known are the secrets. The spellings of the first are looked for one by one,
	// which is quick for the few of a login; those of the others are in the two indexes.
	known        []known
	plain, coded index
	// spaced says that a secret holds a space, which forms write as +.
	spaced bool
	// turned, undone and formed are where a text is rewritten, one after another.
	turned, undone, formed []byte
}

// known is a secret with its spellings.
type known struct {
	secret string
	// base64 are what base64url makes of a longer text that holds the secret, at
	// each of the three alignments, without the characters that also depend on
	// what stands around it.
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
	raw, text := f.undone, make([]byte, 0, 4*len(secret)+12)
	for skip := range k.base64 {
		from := len(text)
		text = base64.RawURLEncoding.AppendEncode(text, raw[skip:])
		if whole := (len(raw) - skip) * 8 / 6; whole >= shortest {
			k.base64[skip] = text[from : from+whole]
		}
	}
	if f.known == nil {
		f.known = make([]known, 0, usualSecrets)
	}
	f.known = append(f.known, k)
	if len(f.known) <= oneByOne {
		return
	}
	f.plain.add([]byte(secret))
	for _, b := range k.base64 {
		if b != nil {
			f.coded.add(b)
		}
	}
}

// find gives the first place where a secret stands as it is, and the longest
// one there; empty when the text holds none.
func (f *finder) find(s string) (at int, secret string) {
	at = len(s)
	for i := range f.known {
		k := f.known[i].secret
		if n := strings.Index(s[:min(at+len(k), len(s))], k); n >= 0 && (n < at || len(k) > len(secret)) {
			at, secret = n, k
		}
	}
	return at, secret
}

// spelt reports whether a text holds a spelling of a secret. Of base64 both
// alphabets will do, also mixed.
func (f *finder) spelt(s []byte) bool {
	url := s
	if bytes.IndexByte(s, '+') >= 0 || bytes.IndexByte(s, '/') >= 0 {
		if f.turned == nil {
			f.turned = make([]byte, 0, usualLine)
		}
		f.turned = append(f.turned[:0], s...)
		url = f.turned
		for i, c := range url {
			switch c {
			case '+':
				url[i] = '-'
			case '/':
				url[i] = '_'
			}
		}
	}
	for i := range f.known[:min(len(f.known), oneByOne)] {
		k := &f.known[i]
		if bytes.Contains(s, []byte(k.secret)) {
			return true
		}
		for _, b := range k.base64 {
			if b != nil && bytes.Contains(url, b) {
				return true
			}
		}
	}
	return f.plain.holds(s) || f.coded.holds(url)
}

// escapeRounds is how deep escapes may lie inside one another: a line is JSON,
// and a URL in it may hold a JSON text that is percent-encoded.
const escapeRounds = 3

// holds reports whether a text holds a secret, also behind escapes: percent
// escapes of any of its bytes, and those of JSON strings.
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
		if !plus && !percent && !back {
			return false
		}
		if round == 0 {
			f.undone = append(f.undone[:0], s...)
			s = f.undone
		}
		if back {
			if s = unbackslash(s[:0], s); f.spelt(s) {
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
