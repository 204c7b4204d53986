package trace

import (
	"encoding/base64"
	"encoding/binary"
)

// pattern is one spelling of a secret.
type pattern struct {
	secret string // the real value
	as     spelling
	skip   uint8  // how many of its first bytes are left out
	head   uint32 // the first four characters, to tell it from most others
}

type spelling uint8

const (
	plain spelling = iota
	base64Std
	base64URL
)

// size is the number of characters of the spelling.
func (p *pattern) size() int {
	if p.as == plain {
		return len(p.secret)
	}
	return (len(p.secret) - int(p.skip)) * 8 / 6
}

// window is what a spelling begins with, as far as it goes: its characters,
// the first one lowest.
type window struct{ lo, hi uint64 }

func (p *pattern) window() window {
	var text [longWindow]byte
	if p.as == plain {
		copy(text[:], p.secret)
	} else {
		var bytes [longWindow / 4 * 3]byte
		base64.StdEncoding.Encode(text[:], bytes[:copy(bytes[:], p.secret[p.skip:])])
	}
	w := window{binary.LittleEndian.Uint64(text[:]), binary.LittleEndian.Uint64(text[8:])}
	if p.as == base64URL {
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

// begins reports whether a text begins with the spelling. Of base64 both
// alphabets will do, also mixed.
func (p *pattern) begins(s []byte) bool {
	n := p.size()
	if len(s) < n {
		return false
	}
	if p.as == plain {
		return string(s[:n]) == p.secret
	}
	for i, c := range s[:n] {
		switch c {
		case '+':
			c = '-'
		case '/':
			c = '_'
		}
		if c != p.char(i) {
			return false
		}
	}
	return true
}

// char gives a character of base64url.
func (p *pattern) char(i int) byte {
	s, bit := p.secret[p.skip:], i*6
	two := uint16(s[bit/8]) << 8
	if bit/8+1 < len(s) {
		two |= uint16(s[bit/8+1])
	}
	return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[two>>(10-bit%8)&63]
}
