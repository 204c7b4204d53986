package trace

import (
	"bytes"
	"strings"
)

// finder looks for many secrets at once, each plain and as base64 and base64url
// write it, and looks behind escapes. Most secrets are long, and long ones let
// most of a text be passed over; what is short is looked for apart.
type finder struct {
	long, short index
	// longest is the size of the longest pattern.
	longest int
	// spaced says that a secret holds a space, which forms write as +.
	spaced bool
	// undone and formed are where escapes are undone, line after line.
	undone, formed []byte
}

const (
	longWindow  = 16
	shortWindow = 8 // nothing shorter is searched for
)

// empty reports whether there is nothing to look for.
func (f *finder) empty() bool { return f.longest == 0 }

// find gives the first place where a pattern begins, and the longest one
// there; nil when the text holds none.
func (f *finder) find(s []byte) (at int, p *pattern) {
	if at, p = f.long.find(s); p != nil {
		return at, p
	}
	return f.short.find(s)
}

// holds reports whether a text holds a secret, also behind escapes: percent
// escapes of any of its bytes, and those of JSON strings.
func (f *finder) holds(s []byte) bool {
	if f.empty() {
		return false
	}
	if _, p := f.find(s); p != nil {
		return true
	}
	from, to := f.escaped(s)
	if from == to {
		return false
	}
	f.undone = append(f.undone[:0], s[from:to]...)
	s = f.undone
	// Escapes may lie inside one another: a line is JSON, and a URL in it may
	// hold a JSON text that is percent-encoded.
	for range escapeRounds {
		plus := f.spaced && bytes.IndexByte(s, '+') >= 0
		percent, back := plus || bytes.IndexByte(s, '%') >= 0, bytes.IndexByte(s, '\\') >= 0
		if !percent && !back {
			return false
		}
		if back {
			s = unbackslash(s[:0], s)
			if _, p := f.find(s); p != nil {
				return true
			}
		}
		if percent {
			if plus {
				f.formed = unpercent(f.formed[:0], s, true)
				if _, p := f.find(f.formed); p != nil {
					return true
				}
			}
			s = unpercent(s[:0], s, false)
			if _, p := f.find(s); p != nil {
				return true
			}
		}
	}
	return false
}

const (
	escapeRounds = 3
	escapeSlack  = 64 // more than all rounds can take from what follows the last escape
)

// escaped gives the part of a text in which escapes may hide a secret: what is
// further from every escape than the longest secret reads the same when they
// are undone.
func (f *finder) escaped(s []byte) (from, to int) {
	from, to = len(s), 0
	for _, c := range [...]byte{'\\', '%', '+'} {
		if c == '+' && !f.spaced {
			continue
		}
		if i := bytes.IndexByte(s, c); i >= 0 {
			from, to = min(from, i), max(to, bytes.LastIndexByte(s, c)+1)
		}
	}
	if to == 0 {
		return 0, 0
	}
	return max(from-f.longest, 0), min(to+f.longest+escapeSlack, len(s))
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
// longer text that holds it, at each of the three alignments. What is the same
// there whatever stands before the secret is what base64 makes of it without
// its first bytes: of none, two or one of them.
func (f *finder) learn(secret string) {
	if !searchable(secret) {
		return
	}
	f.spaced = f.spaced || strings.IndexByte(secret, ' ') >= 0
	p := pattern{secret: secret, as: plain}
	f.add(p, p.window())
	for p.skip = range uint8(3) {
		p.as = base64Std
		std := p.window()
		f.add(p, std)
		if url := std.url(); url != std {
			p.as = base64URL
			f.add(p, url)
		}
	}
}

func (f *finder) add(p pattern, w window) {
	n := p.size()
	f.longest = max(f.longest, n)
	switch {
	case n >= longWindow:
		f.long.add(longWindow, p, w)
	case n >= shortWindow:
		f.short.add(shortWindow, p, w)
	}
}
