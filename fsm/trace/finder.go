package trace

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
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
// longer text that holds it, which is the same whatever stands before and
// behind it, at each of the three alignments.
func (f *finder) learn(secret string) {
	if !searchable(secret) {
		return
	}
	f.spaced = f.spaced || strings.IndexByte(secret, ' ') >= 0
	p := pattern{secret: secret, lead: plain}
	f.add(p, p.window())
	for p.lead = range int8(3) {
		p.url = false
		std := p.window()
		f.add(p, std)
		if url := std.url(); url != std {
			p.url = true
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

// pattern is one spelling of a secret: the plain one, or what base64 makes of
// it behind lead bytes, whatever these are and whatever follows it.
type pattern struct {
	secret string // the real value
	lead   int8   // 0, 1, 2, or plain
	url    bool   // the window is in base64url; for the rest either will do
	head   uint32 // the first four characters, to tell it from most others
}

const plain = -1

// coreFrom is the first character of base64 that only a text behind so many
// bytes determines.
func coreFrom(lead int8) int { return (int(lead)*8 + 5) / 6 }

// size is the number of characters of the spelling.
func (p *pattern) size() int {
	if p.lead == plain {
		return len(p.secret)
	}
	return (int(p.lead)+len(p.secret))*8/6 - coreFrom(p.lead)
}

// window is what a spelling begins with, as far as it goes: its characters,
// the first one lowest.
type window struct{ lo, hi uint64 }

func (p *pattern) window() window {
	var text [longWindow + 4]byte
	at := 0
	if p.lead == plain {
		copy(text[:], p.secret)
	} else {
		var behind [longWindow - 1]byte
		n := copy(behind[p.lead:], p.secret) + int(p.lead)
		base64.StdEncoding.Encode(text[:], behind[:n])
		at = coreFrom(p.lead)
	}
	w := window{binary.LittleEndian.Uint64(text[at:]), binary.LittleEndian.Uint64(text[at+8:])}
	if p.url {
		return w.url()
	}
	return w
}

// url gives a window of base64 as base64url has it.
func (w window) url() window { return window{urlEight(w.lo), urlEight(w.hi)} }

func urlEight(x uint64) uint64 {
	return x + those(x, '+')*('-'-'+') + those(x, '/')*('_'-'/')
}

// those gives a one in each byte of x that is c.
func those(x uint64, c byte) uint64 {
	const ones, low = 0x0101010101010101, 0x7F7F7F7F7F7F7F7F
	x ^= ones * uint64(c)
	return ^(((x & low) + low) | x | low) >> 7
}

// block gives eight characters of a window.
func (w window) block(i int) uint64 { return w.lo>>(8*i) | w.hi<<(64-8*i) }

// urlAlphabet gives the character of base64url that has the place of c.
func urlAlphabet(c byte) byte {
	switch c {
	case '+':
		return '-'
	case '/':
		return '_'
	}
	return c
}

// begins reports whether a text begins with the spelling. Of base64 both
// alphabets will do, also mixed.
func (p *pattern) begins(s []byte) bool {
	n := p.size()
	if len(s) < n {
		return false
	}
	if p.lead == plain {
		return string(s[:n]) == p.secret
	}
	for i, c := range s[:n] {
		if urlAlphabet(c) != p.char(i) {
			return false
		}
	}
	return true
}

// char gives a character of base64url.
func (p *pattern) char(i int) byte {
	bit := (coreFrom(p.lead)+i)*6 - int(p.lead)*8
	two := uint16(p.secret[bit/8]) << 8
	if bit/8+1 < len(p.secret) {
		two |= uint16(p.secret[bit/8+1])
	}
	return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[two>>(10-bit%8)&63]
}

// index finds the patterns whose first width characters stand in a text. It
// looks at the text only at every stride-th place, at a block of it: each
// window, wherever it stands, has one of its blocks at such a place, and all
// blocks of all windows are known.
type index struct {
	width int // 0: there is no pattern yet
	pats  []pattern
	// seen is a bit for each hash of a block; most places end there.
	seen []uint64
	// slots is a table of blocks with open addressing: the number of the
	// pattern, from one, and in the last placeBits the place in its window.
	slots []uint16
	used  int
	// next has the patterns for which there are no numbers left.
	next *index
}

// A block is half of a window.
const (
	longBlock  = longWindow / 2
	shortBlock = shortWindow / 2
)

// blocks is how many blocks a window has.
func (x *index) blocks() int { return x.width/2 + 1 }

// A hash is the upper half of a product with the golden ratio.
const goldenRatio = 0x9E3779B97F4A7C15

func hash(block uint64) uint32 { return uint32(block * goldenRatio >> 32) }

const (
	usualPatterns = 37 // of a login
	firstSlots    = 512
	bitsPerSlot   = 16
	placeBits     = 4
	maxPatterns   = 1<<(16-placeBits) - 1
)

func (x *index) add(width int, p pattern, w window) {
	if x.width == 0 {
		x.width, x.pats = width, make([]pattern, 0, usualPatterns)
		x.make(firstSlots)
	}
	if len(x.pats) == maxPatterns {
		if x.next == nil {
			x.next = new(index)
		}
		x.next.add(width, p, w)
		return
	}
	p.head = uint32(w.lo)
	x.pats = append(x.pats, p)
	if x.used += x.blocks(); x.used > len(x.slots)/4*3 {
		x.make(2 * len(x.slots))
		for n := range x.pats {
			x.enter(n, x.pats[n].window())
		}
		return
	}
	x.enter(len(x.pats)-1, w)
}

func (x *index) make(slots int) {
	x.slots, x.seen = make([]uint16, slots), make([]uint64, slots*bitsPerSlot/64)
}

// enter puts the blocks of a pattern into the table.
func (x *index) enter(n int, w window) {
	slots, seen := x.slots, x.seen
	for i := range x.blocks() {
		b := w.block(i)
		if x.width == shortWindow {
			b &= 1<<(8*shortBlock) - 1
		}
		h := hash(b)
		seen[int(h>>6)&(len(seen)-1)] |= 1 << (h & 63)
		at := int(h) & (len(slots) - 1)
		for slots[at] != 0 {
			at = (at + 1) & (len(slots) - 1)
		}
		slots[at] = uint16(n+1)<<placeBits | uint16(i)
	}
}

// find gives the first place where a pattern begins, and the longest one there.
func (x *index) find(s []byte) (at int, p *pattern) {
	at, p = x.scan(s)
	if x.next == nil {
		return at, p
	}
	if i, q := x.next.find(s); q != nil && (p == nil || i < at || i == at && q.size() > p.size()) {
		return i, q
	}
	return at, p
}

func (x *index) scan(s []byte) (at int, p *pattern) {
	seen := x.seen
	switch x.width {
	case longWindow:
		for i := 0; i+longBlock <= len(s); i += longWindow - longBlock + 1 {
			if h := hash(binary.LittleEndian.Uint64(s[i:])); seen[int(h>>6)&(len(seen)-1)]>>(h&63)&1 != 0 {
				if at, p = x.meet(s, i, h); p != nil {
					return at, p
				}
			}
		}
	case shortWindow:
		for i := 0; i+shortBlock <= len(s); i += shortWindow - shortBlock + 1 {
			if h := hash(uint64(binary.LittleEndian.Uint32(s[i:]))); seen[int(h>>6)&(len(seen)-1)]>>(h&63)&1 != 0 {
				if at, p = x.meet(s, i, h); p != nil {
					return at, p
				}
			}
		}
	}
	return -1, nil
}

// meet is find among the windows that have a block at i.
func (x *index) meet(s []byte, i int, h uint32) (at int, p *pattern) {
	at = -1
	for slot := int(h) & (len(x.slots) - 1); x.slots[slot] != 0; slot = (slot + 1) & (len(x.slots) - 1) {
		c, start := &x.pats[x.slots[slot]>>placeBits-1], i-int(x.slots[slot]&(1<<placeBits-1))
		if start < 0 || binary.LittleEndian.Uint32(s[start:]) != c.head || !c.begins(s[start:]) {
			continue
		}
		if p == nil || start < at || start == at && c.size() > p.size() {
			at, p = start, c
		}
	}
	return at, p
}
