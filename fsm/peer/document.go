package peer

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// member is one name and value of a JSON object.
type member struct {
	name  string
	value any
}

// document is a JSON object whose members keep their order and may, for a
// fault, repeat or carry a value of the wrong type.
type document []member

// put replaces the member of that name, or appends it.
func (d *document) put(name string, value any) {
	for i := range *d {
		if (*d)[i].name == name {
			(*d)[i].value = value
			return
		}
	}
	*d = append(*d, member{name, value})
}

// add appends a member only where the value says something: empty lists and
// strings are left out of metadata (RFC 8414 §3.2, RFC 9728 §3.2).
func (d *document) add(name string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case []string:
		if len(v) == 0 {
			return
		}
	case bool:
		if !v {
			return
		}
	}
	d.put(name, value)
}

// drop removes a member.
func (d *document) drop(name string) {
	for i := range *d {
		if (*d)[i].name == name {
			*d = append((*d)[:i:i], (*d)[i+1:]...)
			return
		}
	}
}

// rename gives a member another name, for the faults that fold case.
func (d *document) rename(from, to string) {
	for i := range *d {
		if (*d)[i].name == from {
			(*d)[i].name = to
		}
	}
}

// get returns a member's value as a string, or "".
func (d document) get(name string) string {
	for _, m := range d {
		if m.name == name {
			s, _ := m.value.(string)
			return s
		}
	}
	return ""
}

func (d document) has(name string) bool {
	for _, m := range d {
		if m.name == name {
			return true
		}
	}
	return false
}

// bytes writes the object, in order and with repeated names.
func (d document) bytes() []byte {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(jsonBytes(m.name))
		b.WriteByte(':')
		b.Write(jsonBytes(m.value))
	}
	b.WriteByte('}')
	return []byte(b.String())
}

// jsonBytes encodes a value that this package built. Invalid UTF-8, which only
// a hostile request can have brought in, is replaced.
func jsonBytes(v any) []byte {
	if d, ok := v.(document); ok {
		return d.bytes()
	}
	b, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return []byte("null")
	}
	return b
}
