package trace

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// finder looks for many strings at once (Wu and Manber, with blocks of three
// bytes): most of a text is skipped, so that searching a line costs little
// however many secrets are known.
type finder struct {
	gain [finderSlots]uint8  // window-block+1 minus the shift, so that zero shifts farthest
	head [finderSlots]uint16 // first pattern of the slot, plus one
	pats []pattern
}

// pattern is one spelling of a secret.
type pattern struct {
	text   string
	secret string // the real value
	escape bool   // a spelling that a stand-in can be put in place of
	next   uint16
}

const (
	finderWindow = 8 // no shorter pattern is searched for
	finderBlock  = 3
	finderSlots  = 1 << 12
	finderReach  = finderWindow - finderBlock + 1
	maxPatterns  = 1<<16 - 2
)

func slot(s string, i int) uint32 {
	return (uint32(s[i]) ^ uint32(s[i+1])<<4 ^ uint32(s[i+2])<<8 ^ uint32(s[i+2])>>3) & (finderSlots - 1)
}

// add makes text findable.
func (f *finder) add(text, secret string, escape bool) {
	if len(text) < finderWindow || len(f.pats) >= maxPatterns {
		return
	}
	for i := 0; i+finderBlock <= finderWindow; i++ {
		h := slot(text, i)
		shift := finderWindow - finderBlock - i
		f.gain[h] = max(f.gain[h], uint8(finderReach-shift))
	}
	h := slot(text, finderWindow-finderBlock)
	f.pats = append(f.pats, pattern{text: text, secret: secret, escape: escape, next: f.head[h]})
	f.head[h] = uint16(len(f.pats))
}

// find gives the first place where a pattern begins, and the longest one
// there; nil when the text holds none.
func (f *finder) find(s string) (at int, p *pattern) {
	for i := 0; i+finderWindow <= len(s); {
		h := slot(s, i+finderWindow-finderBlock)
		if shift := finderReach - int(f.gain[h]); shift > 0 {
			i += shift
			continue
		}
		for n := f.head[h]; n != 0; n = f.pats[n-1].next {
			if c := &f.pats[n-1]; strings.HasPrefix(s[i:], c.text) && (p == nil || len(c.text) > len(p.text)) {
				p = c
			}
		}
		if p != nil {
			return i, p
		}
		i++
	}
	return -1, nil
}

// searchable reports whether a secret can be searched for without taking the
// format's own words for it: "secret" is part of client_secret_basic.
func searchable(s string) bool {
	if len(s) < finderWindow || len(s) > 1<<16 {
		return false
	}
	if len(s) >= 20 {
		return true
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_-. ") != ""
}

// learn makes a secret findable in each encoding that a peer or a page is
// likely to repeat it in.
func (f *finder) learn(secret string) {
	if !searchable(secret) {
		return
	}
	f.add(secret, secret, true)
	seen := []string{secret}
	spell := func(s string, escape bool) {
		for _, have := range seen {
			if have == s {
				return
			}
		}
		seen = append(seen, s)
		f.add(s, secret, escape)
	}
	if !unreserved(secret) {
		for _, s := range [...]string{url.QueryEscape(secret), percent(secret, false), url.PathEscape(secret)} {
			spell(s, true)
			spell(lowerHex(s), true)
		}
		quoted, _ := jsontext.AppendQuote(nil, secret)
		inner := string(quoted[1 : len(quoted)-1])
		spell(inner, false)
		spell(strings.ReplaceAll(inner, "/", `\/`), false)
		spell(htmlSafe.Replace(inner), false)
	}
	full := percent(secret, true)
	spell(full, false)
	spell(lowerHex(full), false)
	// Base64 of a longer text that holds the secret: what is the same whatever
	// stands before and behind it, at each of the three alignments.
	padded := append([]byte{0, 0}, secret...)
	for lead := range 3 {
		b := base64.StdEncoding.EncodeToString(padded[2-lead:])
		core := b[(lead*8+5)/6 : (lead+len(secret))*8/6]
		spell(core, false)
		if strings.ContainsAny(core, "+/") {
			spell(urlAlphabet.Replace(core), false)
		}
	}
}

var (
	urlAlphabet = strings.NewReplacer("+", "-", "/", "_")
	htmlSafe    = strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`)
)

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

// percent writes s with percent escapes: of every byte, or of those that are
// not unreserved (RFC 3986 §2.1).
func percent(s string, every bool) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, 3*len(s))
	for i := 0; i < len(s); i++ {
		if !every && isUnreserved(s[i]) {
			b = append(b, s[i])
			continue
		}
		b = append(b, '%', hex[s[i]>>4], hex[s[i]&15])
	}
	return string(b)
}

// lowerHex writes the escapes of s in lower case.
func lowerHex(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] != '%' {
			continue
		}
		for j := i + 1; j <= i+2; j++ {
			if b[j] >= 'A' && b[j] <= 'F' {
				b[j] += 'a' - 'A'
			}
		}
		i += 2
	}
	return string(b)
}
