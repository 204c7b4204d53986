package wire

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// UnescapeHTML appends s to out with the escapes of HTML undone: numbers, and the names
// of those characters that occur in secrets. out may be the beginning of s: no escape is
// shorter than four bytes and no character is longer, so the text never becomes longer.
func UnescapeHTML(out, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '&')
		if i < 0 {
			return append(out, s...)
		}
		out = append(out, s[:i]...)
		s = s[i+1:]
		name, _, ends := bytes.Cut(s[:min(len(s), longestEntity)], []byte{';'})
		if r, known := entity(name); ends && known {
			out = utf8.AppendRune(out, r)
			s = s[len(name)+1:]
			continue
		}
		out = append(out, '&')
	}
}

// longestEntity is the length of the longest escape that is undone, with leading
// zeros.
const longestEntity = 12

func entity(name []byte) (rune, bool) {
	if len(name) > 1 && name[0] == '#' {
		digits, base := string(name[1:]), 10
		if x := strings.TrimLeft(digits, "xX"); len(x) < len(digits) {
			digits, base = x, 16
		}
		n, err := strconv.ParseUint(digits, base, 21)
		return rune(n), err == nil
	}
	switch string(name) {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	case "plus":
		return '+', true
	case "sol":
		return '/', true
	case "equals":
		return '=', true
	case "lowbar":
		return '_', true
	case "period":
		return '.', true
	case "colon":
		return ':', true
	}
	return 0, false
}

func unentity(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	return string(UnescapeHTML(nil, []byte(s)))
}
