package trace

import "encoding/binary"

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
