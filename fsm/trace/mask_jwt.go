package trace

import (
	"encoding/base64"
	"strings"

	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states/wire"
)

// jwt gives the stand-in of a JWT that the machine reads: an unsigned one, with only the
// claims that are read.
func (m *mask) jwt(kind, real string) string {
	if m.known[real] != "" {
		return m.known[real]
	}
	parts := strings.Split(real, ".")
	if len(parts) != 3 {
		return m.sub(kind, real)
	}
	var read [2]wire.Object
	for i := range read {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			read[i], err = wire.ParseObject(text)
		}
		if err != nil {
			return m.sub(kind, real)
		}
	}
	head := m.claims([]byte("{"), read[0], "typ")
	body := m.claims(lines.AppendQuoted([]byte(`{"stand_in":`), m.fresh(kind)), read[1], "iss", "aud", "client_id", "resource", "exp")
	enc := base64.RawURLEncoding.EncodeToString
	as := enc(append(head, '}')) + "." + enc(append(body, '}')) + "." + enc([]byte("nobody signed this"))
	m.put(real, as)
	return as
}

// claims appends those of the members that are named.
func (m *mask) claims(b []byte, from wire.Object, names ...string) []byte {
	for _, n := range names {
		raw, ok := from.Raw(n)
		if !ok {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(lines.AppendQuoted(b, n), ':')
		b = m.carefully(b, raw)
	}
	return b
}
