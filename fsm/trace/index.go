package trace

// index finds any of many spellings in one pass over a text, so that the time does not
// depend on their number (docs/decisions.md says why). A spelling is looked up by its
// last eight bytes, because tokens often begin alike but end differently. Letters are
// compared in lower case, and both alphabets of base64 match, also mixed.
type index struct {
	// ends maps the last eight bytes of a spelling to its number in all, counted from
	// one.
	ends map[uint64]int32
	all  []spelling
	// bits says which ends are possible, so that most places in a text need no look-up in
	// ends.
	bits []uint64
}

// spelling is a spelling to find, and the number of another one with the same end.
type spelling struct {
	text  []byte
	exact bool // not base64: a + is a +
	other int32
}

// bitsEach is how many bits there are for each spelling at least.
const bitsEach = 8

// folded maps each byte to lower case; turned also maps the alphabet of base64 to that of
// base64url.
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

// add adds a spelling, whose bytes the index keeps.
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

// place is the bit of an end in a table of so many words, a power of two.
func place(end uint64, words int) uint64 {
	const mix = 0x9e3779b97f4a7c15 // 2⁶⁴ divided by the golden ratio, which spreads similar values
	return (end * mix) >> 32 & uint64(words*64-1)
}

// holds reports whether a text holds one of the spellings, of which there is one at least.
func (x *index) holds(s []byte) bool {
	if len(s) < shortest {
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

// word is the first eight bytes of s as a number, mapped as they are compared.
func word(s []byte) (w uint64) {
	for _, c := range s[:shortest] {
		w = w<<8 | uint64(turned[c])
	}
	return w
}
