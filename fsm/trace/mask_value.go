package trace

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states/wire"
)

func stringOf(raw []byte) (string, bool) {
	s, _, ok := wire.Object{{Name: "x", Raw: raw}}.String("x")
	return s, ok
}

// as keeps a value as it is, except for white space outside its texts.
func (m *mask) as(b, raw []byte) []byte {
	if m.careful {
		return m.carefully(b, raw)
	}
	if m.flat || oneLine(raw) {
		return append(b, raw...)
	}
	v := jsontext.Value(bytes.Clone(raw))
	_ = v.Compact() // it was parsed before
	return append(b, v...)
}

func oneLine(b []byte) bool { return bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') < 0 }

// carefully writes a valid value and applies keep to every text in it. Two names that become the
// same by it would be refused where both were taken, so nothing is kept of such a value.
func (m *mask) carefully(b, raw []byte) []byte {
	var out bytes.Buffer
	dec, enc := jsontext.NewDecoder(bytes.NewReader(raw)), jsontext.NewEncoder(&out)
	for {
		t, err := dec.ReadToken()
		if err != nil {
			break
		}
		if t.Kind() == '"' {
			t = jsontext.String(m.keep(t.String()))
		}
		if enc.WriteToken(t) != nil {
			return append(b, "null"...)
		}
	}
	return append(b, bytes.TrimSpace(out.Bytes())...)
}

// opens writes the stand-in of a secret; a value of another type is replaced
// by one of the same type.
func (m *mask) opens(b, raw []byte, kind string) []byte {
	if s, ok := stringOf(raw); ok {
		return lines.AppendQuoted(b, m.sub(kind, s))
	}
	return m.plain(b, raw)
}

// text writes a string as how returns it, or its length; it writes other types as plain
// does.
func (m *mask) text(b, raw []byte, how func(string) string) []byte {
	s, ok := stringOf(raw)
	switch {
	case !ok:
		return m.plain(b, raw)
	case how == nil:
		return lines.AppendQuoted(b, freeText(len(s)))
	}
	return lines.AppendQuoted(b, how(s))
}

// number keeps a number, also if it is written as a string of digits.
func (m *mask) number(b, raw []byte) []byte {
	if s, ok := stringOf(raw); ok {
		if len(s) <= 20 && strings.Trim(s, "0123456789") == "" {
			return lines.AppendQuoted(b, s)
		}
		return lines.AppendQuoted(b, freeText(len(s)))
	}
	if isNumber(raw) && len(raw) <= 24 {
		return append(b, raw...)
	}
	return m.plain(b, raw)
}

func isNumber(raw []byte) bool { return raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' }

// plain writes a value of the same type without any content.
func (m *mask) plain(b, raw []byte) []byte {
	switch raw[0] {
	case 't', 'f', 'n':
		return append(b, raw...)
	case '{':
		return append(b, "{}"...)
	case '[':
		return append(b, "[]"...)
	case '"':
		s, _ := stringOf(raw)
		return lines.AppendQuoted(b, freeText(len(s)))
	}
	return append(b, '1')
}
