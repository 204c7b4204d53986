package trace

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// finder looks for many secrets at once. Most of them are long, and a long
// pattern lets most of a text be skipped; short ones are looked for apart.
type finder struct {
	long  index
	short *index // nil until there is a short one
	cores []byte
	// spaced says that a secret holds a space, which forms write as +.
	spaced bool
}

// pattern is one spelling of a secret: the plain one, or what base64 makes of
// it wherever it stands in a longer text.
type pattern struct {
	text   string
	secret string // the real value
	next   uint16
}

// index is the search of Wu and Manber, with blocks of three bytes.
type index struct {
	gain [indexSlots]uint8  // how far short of the longest shift a block falls
	head [indexHeads]uint16 // first pattern of the slot, plus one
	pats []pattern
}

const (
	longWindow  = 16
	shortWindow = 8 // nothing shorter is searched for
	indexBlock  = 3
	indexBits   = 12
	indexSlots  = 1 << indexBits
	indexHeads  = 1 << 9
	maxPatterns = 1<<16 - 2
)

func slot(a, b, c byte) uint32 {
	return (uint32(a) | uint32(b)<<8 | uint32(c)<<16) * 0x9E3779B1 >> (32 - indexBits)
}

// add makes text findable.
func (f *finder) add(text, secret string) {
	switch {
	case len(text) >= longWindow:
		f.long.add(longWindow, text, secret)
	case len(text) >= shortWindow:
		if f.short == nil {
			f.short = new(index)
		}
		f.short.add(shortWindow, text, secret)
	}
}

func (x *index) add(window int, text, secret string) {
	if len(x.pats) >= maxPatterns {
		return
	}
	var h uint32
	for i := 0; i+indexBlock <= window; i++ {
		h = slot(text[i], text[i+1], text[i+2])
		x.gain[h] = max(x.gain[h], uint8(i+1))
	}
	if x.pats == nil {
		x.pats = make([]pattern, 0, 40)
	}
	x.pats = append(x.pats, pattern{text: text, secret: secret, next: x.head[h%indexHeads]})
	x.head[h%indexHeads] = uint16(len(x.pats))
}

// find gives the first place where a pattern begins, and the longest one
// there; nil when the text holds none.
func find[T string | []byte](f *finder, s T) (at int, p *pattern) {
	if at, p = search(&f.long, longWindow, s); p != nil || f.short == nil {
		return at, p
	}
	return search(f.short, shortWindow, s)
}

func search[T string | []byte](x *index, window int, s T) (at int, p *pattern) {
	reach := window - indexBlock + 1
	for i := window - 1; i < len(s); {
		h := slot(s[i-2], s[i-1], s[i])
		if shift := reach - int(x.gain[h]); shift > 0 {
			i += shift
			continue
		}
		start := i - window + 1
		for n := x.head[h%indexHeads]; n != 0; n = x.pats[n-1].next {
			c := &x.pats[n-1]
			if end := start + len(c.text); end <= len(s) && string(s[start:end]) == c.text && (p == nil || len(c.text) > len(p.text)) {
				p = c
			}
		}
		if p != nil {
			return start, p
		}
		i++
	}
	return -1, nil
}

// holds reports whether a text holds a secret, also behind escapes: percent
// escapes of any of its bytes, and those of JSON strings.
func (f *finder) holds(s []byte) bool {
	if _, p := find(f, s); p != nil {
		return true
	}
	percent := bytes.IndexByte(s, '%') >= 0 || f.spaced && bytes.IndexByte(s, '+') >= 0
	back := bytes.IndexByte(s, '\\') >= 0
	// Escapes may lie inside one another: a line is JSON, and a URL in it may
	// hold a JSON text that is percent-encoded.
	for n := 0; n < 3 && (percent || back); n++ {
		if back {
			s = unbackslash(s)
			if _, p := find(f, s); p != nil {
				return true
			}
		}
		if percent {
			if f.spaced {
				if _, p := find(f, unpercent(s, true)); p != nil {
					return true
				}
			}
			s = unpercent(s, false)
			if _, p := find(f, s); p != nil {
				return true
			}
		}
		percent, back = bytes.IndexByte(s, '%') >= 0, bytes.IndexByte(s, '\\') >= 0
	}
	return false
}

// unpercent undoes percent escapes where they are whole; plus reads + as a
// space, as forms do.
func unpercent(s []byte, plus bool) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '%' && i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0:
			out = append(out, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
			i += 2
		case s[i] == '+' && plus:
			out = append(out, ' ')
		default:
			out = append(out, s[i])
		}
	}
	return out
}

// unbackslash undoes the escapes of JSON strings.
func unbackslash(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'u':
			n, whole := rune(0), i+4 < len(s)
			for j := i + 1; whole && j <= i+4; j++ {
				d := hexDigit(s[j])
				whole, n = d >= 0, n<<4|rune(d)
			}
			if !whole {
				out = append(out, 'u')
				continue
			}
			out = append(out, string(n)...)
			i += 4
		default:
			out = append(out, s[i])
		}
	}
	return out
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// searchable reports whether a secret can be searched for without taking the
// format's own words for it: "secret" is part of client_secret_basic.
func searchable(s string) bool {
	if len(s) < shortWindow || len(s) > 1<<16 {
		return false
	}
	if len(s) >= 20 {
		return true
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_-. ") != ""
}

// learn makes a secret findable: plain, and in base64 and base64url of a
// longer text that holds it, which is the same whatever stands before and
// behind it, at each of the three alignments.
func (f *finder) learn(secret string) {
	if !searchable(secret) {
		return
	}
	f.add(secret, secret)
	f.spaced = f.spaced || strings.IndexByte(secret, ' ') >= 0
	const most = 3 * 128
	var room [most]byte
	for lead := range 3 {
		padded := append(append(room[:0], 0, 0)[:lead], secret...)
		f.cores = base64.StdEncoding.AppendEncode(f.cores[:0], padded)
		core := string(f.cores[(lead*8+5)/6 : (lead+len(secret))*8/6])
		f.add(core, secret)
		if strings.ContainsAny(core, "+/") {
			f.add(urlAlphabet.Replace(core), secret)
		}
	}
}

var urlAlphabet = strings.NewReplacer("+", "-", "/", "_")

func unreserved(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isUnreserved(s[i]) {
			return false
		}
	}
	return true
}

// isUnreserved is the set of RFC 3986 §2.3.
func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
