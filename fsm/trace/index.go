package trace

import "bytes"

// index finds any of many spellings in one pass over a text: what that costs does
// not depend on how many there are. A spelling is known by its last eight bytes,
// in which tokens differ where their beginnings are often the same.
type index struct {
	// ends are, by its last eight bytes, the number of a spelling in all, from one.
	ends map[uint64]int32
	all  []spelling
	// bits says which ends there can be; most places in a text go no further.
	bits []uint64
}

// spelling is one that is looked for, and the number of another with the same end.
type spelling struct {
	text  []byte
	other int32
}

// bitsEach is how many bits there are for each spelling at least.
const bitsEach = 8

func (x *index) add(text []byte) {
	if x.ends == nil {
		x.ends = map[uint64]int32{}
	}
	end := word(text[len(text)-shortest:])
	x.all = append(x.all, spelling{text, x.ends[end]})
	x.ends[end] = int32(len(x.all))
	if len(x.all)*bitsEach <= len(x.bits)*64 {
		x.mark(end)
		return
	}
	x.bits = make([]uint64, max(64, 2*len(x.bits)))
	for end := range x.ends {
		x.mark(end)
	}
}

func (x *index) mark(end uint64) {
	at := x.place(end)
	x.bits[at/64] |= 1 << (at % 64)
}

// place is the bit of an end. The number of bits is a power of two.
func (x *index) place(end uint64) uint64 {
	const mix = 0x9e3779b97f4a7c15 // 2⁶⁴ divided by the golden ratio: spreads what is alike
	return (end * mix) >> 32 & uint64(len(x.bits)*64-1)
}

// holds reports whether a text holds one of the spellings.
func (x *index) holds(s []byte) bool {
	if len(x.all) == 0 || len(s) < shortest {
		return false
	}
	end := word(s)
	for i := shortest; ; i++ {
		if at := x.place(end); x.bits[at/64]&(1<<(at%64)) != 0 {
			for n := x.ends[end]; n != 0; n = x.all[n-1].other {
				if bytes.HasSuffix(s[:i], x.all[n-1].text) {
					return true
				}
			}
		}
		if i == len(s) {
			return false
		}
		end = end<<8 | uint64(s[i])
	}
}

// word is the first eight bytes of s as a number.
func word(s []byte) (w uint64) {
	for _, c := range s[:shortest] {
		w = w<<8 | uint64(c)
	}
	return w
}
