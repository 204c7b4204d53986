package trace

import (
	"bytes"
	"unicode/utf8"
)

// The functions that undo escapes append to out, which may share the memory of s, because
// the result is never longer.

// unpercent undoes percent escapes where they are whole; plus reads + as a
// space, as forms do.
func unpercent(out, s []byte, plus bool) []byte {
	for {
		i := bytes.IndexByte(s, '%')
		if i < 0 {
			return literal(out, s, plus)
		}
		out = literal(out, s[:i], plus)
		if i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0 {
			out = append(out, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
			s = s[i+3:]
		} else {
			out = append(out, '%')
			s = s[i+1:]
		}
	}
}

func literal(out, s []byte, plus bool) []byte {
	from := len(out)
	out = append(out, s...)
	for i := from; plus && i < len(out); i++ {
		if out[i] == '+' {
			out[i] = ' '
		}
	}
	return out
}

// unbackslash undoes the escapes of JSON strings.
func unbackslash(out, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			return append(out, s...)
		}
		out = append(out, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		switch c {
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
			n, whole := rune(0), len(s) >= 4
			for j := 0; whole && j < 4; j++ {
				d := hexDigit(s[j])
				whole, n = d >= 0, n<<4|rune(d)
			}
			if !whole {
				out = append(out, 'u')
				continue
			}
			out = utf8.AppendRune(out, n)
			s = s[4:]
		default:
			out = append(out, c)
		}
	}
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

func unreserved(s string) bool {
	for i := 0; i < len(s); i++ {
		if !unreservedByte[s[i]] {
			return false
		}
	}
	return true
}

// unreservedByte is the set of RFC 3986 §2.3.
var unreservedByte = func() (set [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~" {
		set[c] = true
	}
	return set
}()
