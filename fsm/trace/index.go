package trace

// index finds any of many spellings in one pass over a text: what that costs does
// not depend on how many there are. A spelling is known by its last eight bytes,
// in which tokens differ where their beginnings are often the same. Letters are compared
// in small, and of base64 both alphabets will do, also mixed.
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
	exact bool // not base64: a + is a +
	other int32
}

// bitsEach is how many bits there are for each spelling at least.
const bitsEach = 8

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

// make has room for n spellings.
func (x *index) make(n int) {
	x.ends, x.all, x.bits = make(map[uint64]int32, n), make([]spelling, 0, n), make([]uint64, 64)
}

// add makes a spelling findable, which the index keeps.
func (x *index) add(text []byte, exact bool) {
	end := word(text[len(text)-shortest:])
	x.all = append(x.all, spelling{text, exact, x.ends[end]})
	x.ends[end] = int32(len(x.all))
	if len(x.all)*bitsEach <= len(x.bits)*64 {
		x.mark(end)
		return
	}
	x.bits = make([]uint64, 2*len(x.bits))
	for end := range x.ends {
		x.mark(end)
	}
}

func (x *index) mark(end uint64) {
	at := place(end, len(x.bits))
	x.bits[at/64] |= 1 << (at % 64)
}

// place is the bit of an end among so many words of bits, a power of two.
func place(end uint64, words int) uint64 {
	const mix = 0x9e3779b97f4a7c15 // 2⁶⁴ divided by the golden ratio: spreads what is alike
	return (end * mix) >> 32 & uint64(words*64-1)
}

// holds reports whether a text holds one of the spellings.
func (x *index) holds(s []byte) bool {
	if len(x.all) == 0 || len(s) < shortest {
		return false
	}
	end, bits := word(s), x.bits
	for i := shortest; ; i++ {
		if at := place(end, len(bits)); bits[at/64]&(1<<(at%64)) != 0 {
			for n := x.ends[end]; n != 0; n = x.all[n-1].other {
				if x.all[n-1].ends(s[:i]) {
					return true
				}
			}
		}
		if i == len(s) {
			return false
		}
		end = end<<8 | uint64(turned[s[i]])
	}
}

// ends reports whether s ends in the spelling.
func (p *spelling) ends(s []byte) bool {
	from := len(s) - len(p.text)
	if from < 0 {
		return false
	}
	same := &turned
	if p.exact {
		same = &folded
	}
	for i, c := range p.text {
		if same[s[from+i]] != same[c] {
			return false
		}
	}
	return true
}

// word is the first eight bytes of s as a number, as they are compared.
func word(s []byte) (w uint64) {
	for _, c := range s[:shortest] {
		w = w<<8 | uint64(turned[c])
	}
	return w
}
