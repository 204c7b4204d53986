package wire

import (
	"bytes"
	"fmt"
)

// Member is one member of a JSON object. Raw is the JSON text of the value. It aliases
// the document and must not be changed.
type Member struct {
	Name string
	Raw  []byte
}

// Object is a JSON object with its members in the order of the document.
// Names are compared exactly (RFC 8259 §8.3, RFC 8414 §4). The typed accessors read a
// member whose value is null as absent, because several peers write null for "nothing"
// (rules prm-empty-omitted, asm-empty-omitted). Raw still returns it.
type Object []Member

// Format names the members and hides their values: the document may be a token
// response.
func (o Object) Format(s fmt.State, _ rune) {
	for i, m := range o {
		if i > 0 {
			_, _ = s.Write([]byte{' '})
		}
		_, _ = s.Write([]byte(Clean(m.Name, shown)))
	}
}

// Raw returns the JSON text of a member.
func (o Object) Raw(name string) ([]byte, bool) {
	for i := range o {
		if o[i].Name == name {
			return o[i].Raw, true
		}
	}
	return nil, false
}

// value is Raw, but reads null as absent.
func (o Object) value(name string) []byte {
	raw, _ := o.Raw(name)
	if isNull(raw) {
		return nil
	}
	return raw
}

func isNull(raw []byte) bool { return len(raw) > 0 && raw[0] == 'n' }

// String returns a member that is a JSON string. present says that the member exists
// and is not null; ok is false if it has another type.
func (o Object) String(name string) (s string, present, ok bool) {
	raw := o.value(name)
	if raw == nil {
		return "", false, false
	}
	s, ok = rawString(raw)
	return s, true, ok
}

func rawString(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	return unquote(raw), true
}

// Strings returns a member that is an array of strings. Elements of another type are
// left out and make ok false. The slice is not nil if the member is an array, even an
// empty one.
func (o Object) Strings(name string) (ss []string, present, ok bool) {
	raw := o.value(name)
	if raw == nil {
		return nil, false, false
	}
	ss, ok = rawStrings(raw)
	return ss, true, ok
}

func rawStrings(raw []byte) ([]string, bool) {
	if len(raw) < 2 || raw[0] != '[' {
		return nil, false
	}
	ok := true
	// One copy of the text for all elements that need no decoding.
	text := string(raw)
	out := make([]string, 0, min(bytes.Count(raw, comma)+1, 64))
	for i := skipSpace(raw, 1); raw[i] != ']'; i = skipSpace(raw, i) {
		if raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
		end, _ := skipValue(raw, i)
		switch {
		case raw[i] != '"':
			ok = false
		case bytes.IndexByte(raw[i:end], '\\') < 0:
			out = append(out, text[i+1:end-1])
		default:
			out = append(out, unquote(raw[i:end]))
		}
		i = end
	}
	return out, ok
}

var comma = []byte{','}

// Bool returns a member that is true or false.
func (o Object) Bool(name string) (b, present, ok bool) {
	raw := o.value(name)
	if raw == nil {
		return false, false, false
	}
	b, ok = rawBool(raw)
	return b, true, ok
}

func rawBool(raw []byte) (b, ok bool) {
	switch raw[0] {
	case 't':
		return true, true
	case 'f':
		return false, true
	}
	return false, false
}

// Object returns a member that is an object. Its names are known to be unique,
// because the whole document was judged.
func (o Object) Object(name string) (obj Object, present, ok bool) {
	raw := o.value(name)
	if raw == nil {
		return nil, false, false
	}
	if raw[0] != '{' {
		return nil, true, false
	}
	obj, fault := parseObject(raw)
	return obj, true, fault == nil
}
