package wire

import (
	"bytes"
	"encoding/binary"
)

// PlainText reports whether a text stands in JSON as it is, between quotes:
// printable ASCII (and DEL) without quotes and backslashes (RFC 8259 §7).
func PlainText(s string) bool {
	if len(s) < 8 {
		for i := 0; i < len(s); i++ {
			if c := s[i]; c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
				return false
			}
		}
		return true
	}
	odd := uint64(0)
	for last, i := len(s)-8, 0; ; i = min(i+8, last) {
		e := s[i : i+8]
		odd |= oddOf(uint64(e[0]) | uint64(e[1])<<8 | uint64(e[2])<<16 | uint64(e[3])<<24 |
			uint64(e[4])<<32 | uint64(e[5])<<40 | uint64(e[6])<<48 | uint64(e[7])<<56)
		if i == last {
			return odd == 0
		}
	}
}

// plainBytes is PlainText for bytes.
func plainBytes(s []byte) bool {
	if len(s) < 8 {
		return PlainText(string(s)) // so short a copy is made without memory
	}
	odd := uint64(0)
	for last, i := len(s)-8, 0; ; i = min(i+8, last) {
		odd |= oddOf(binary.LittleEndian.Uint64(s[i:]))
		if i == last {
			return odd == 0
		}
	}
}

// oddOf looks at eight bytes at once. It is not zero when one of them is a
// control character, a quote, a backslash or not of ASCII: with the highest bit
// of each byte as its guard, a subtraction that borrows tells of a byte that is
// less than the subtrahend.
func oddOf(x uint64) uint64 {
	const ones, guards = 0x0101010101010101, 0x8080808080808080
	quote, back := x^ones*'"', x^ones*'\\'
	return (x | (x - ones*' ') | (quote - ones) | (back - ones)) & guards
}

// ParseObjectIn is ParseObject for those who read documents a second time, as
// traces do, and one after another. The members go into room as far as it is
// large enough, and the usual document is read without the library; a fuzz
// target holds the two against each other. What the machine believes of a peer
// is judged by ParseObject.
func ParseObjectIn(room Object, body []byte) (Object, error) {
	if i := skipSpace(body, 0); len(body) <= MaxBody && i < len(body) && body[i] == '{' {
		if obj, ok := plainObject(room, body, i); ok {
			return obj, nil
		}
	}
	return ParseObject(body)
}

// plainObject cuts the object that begins at i of a document that can be read
// in one way only: its names and texts are plain, its numbers whole, its values
// texts, numbers, literals and lists of these, and no name is there twice. ok
// is false for every other document, whether it is sound or not.
func plainObject(room Object, body []byte, i int) (out Object, ok bool) {
	if i = plainSpace(body, i+1); i < len(body) && body[i] == '}' {
		return Object{}, plainSpace(body, i+1) == len(body)
	}
	if out = room[:0]; cap(out) == 0 {
		out = make(Object, 0, usualMembers(body))
	}
	var lengths uint64 // of the names so far
	for {
		start := i
		if i = plainString(body, i); i < 0 {
			return nil, false
		}
		name := memberName(body[start:i])
		if bit := uint64(1) << (len(name) & 63); lengths&bit == 0 {
			lengths |= bit
		} else if _, twice := out.Raw(name); twice {
			return nil, false
		}
		if i = plainSpace(body, i); i == len(body) || body[i] != ':' {
			return nil, false
		}
		start = plainSpace(body, i+1)
		if i = plainValue(body, start); i < 0 {
			return nil, false
		}
		out = append(out, Member{Name: name, Raw: body[start:i:i]})
		switch i = plainSpace(body, i); {
		case i < len(body) && body[i] == ',':
			i = plainSpace(body, i+1)
		case i < len(body) && body[i] == '}':
			return out, plainSpace(body, i+1) == len(body)
		default:
			return nil, false
		}
	}
}

// plainSpace is skipSpace for what mostly is none.
func plainSpace(b []byte, i int) int {
	if i < len(b) && b[i] > ' ' {
		return i
	}
	return skipSpace(b, i)
}

// plainString, plainScalar and plainValue return the end of the text, of the
// text, number or literal, of the value that begins at i; -1 when there is none
// that is plain.
func plainString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	n := bytes.IndexByte(b[i+1:], '"')
	if n < 0 || !plainBytes(b[i+1:i+1+n]) {
		return -1
	}
	return i + n + 2
}

func plainScalar(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch c := b[i]; c {
	case '"':
		return plainString(b, i)
	case 't':
		return plainLiteral(b, i, "true")
	case 'f':
		return plainLiteral(b, i, "false")
	case 'n':
		return plainLiteral(b, i, "null")
	case '0':
		return i + 1
	default:
		if c < '1' || c > '9' {
			return -1
		}
		for i++; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		}
		return i
	}
}

func plainLiteral(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

func plainValue(b []byte, i int) int {
	if i >= len(b) || b[i] != '[' {
		return plainScalar(b, i)
	}
	if i = plainSpace(b, i+1); i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = plainScalar(b, i); i < 0 {
			return -1
		}
		switch i = plainSpace(b, i); {
		case i < len(b) && b[i] == ',':
			i = plainSpace(b, i+1)
		case i < len(b) && b[i] == ']':
			return i + 1
		default:
			return -1
		}
	}
}
