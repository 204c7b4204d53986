package trace

import (
	"bytes"
	"errors"
	"strings"

	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states/wire"
)

// noObject stands for a body that is not one JSON object.
func (m *mask) noObject(body []byte, doc document, err error) []byte {
	trimmed := bytes.TrimLeft(body, " \n\t\r")
	// An object that is whole but not strict, as with letters that are no UTF-8, says that
	// the server itself has answered.
	holds := wire.HoldsObject(wire.Response{Body: body})
	if len(body) > wire.MaxBody {
		switch {
		case holds:
			return []byte(notStrict)
		case len(trimmed) > 0 && trimmed[0] == '{':
			return []byte(`{"broken":`)
		case len(trimmed) > 0 && trimmed[0] == '<':
			return []byte("<html>" + freeText(len(body)) + "</html>")
		}
		return []byte(freeText(len(body)))
	}
	if len(trimmed) == 0 {
		return []byte(" ")
	}
	if form := m.form(body, doc); form != nil {
		return form
	}
	var je *wire.JSONError
	switch {
	case errors.As(err, &je) && je.NotObject:
		return m.plain(nil, trimmed)
	case trimmed[0] == '{':
		switch {
		case holds && je != nil && strings.Contains(je.Reason, "deeper"):
			return []byte(`{"deep":` + strings.Repeat("[", 66) + strings.Repeat("]", 66) + `}`)
		case holds:
			return []byte(notStrict)
		case je != nil && strings.Contains(je.Reason, "after"):
			return []byte(`{} {}`)
		}
		return []byte(`{"broken":`)
	case trimmed[0] == '<':
		return []byte("<html>" + freeText(len(body)) + "</html>")
	}
	return []byte(freeText(len(body)))
}

// notStrict stands for an object that a strict reader refuses and another one takes.
const notStrict = `{"duplicate":1,"duplicate":2}`

// form replaces the fields of a form that was sent instead of a JSON document. It returns
// nil if the body is no such form.
func (m *mask) form(body []byte, doc document) []byte {
	fs, ok := wire.DecodeForm(strings.TrimSpace(string(body)))
	_, token := fs.Get("access_token")
	_, fault := fs.Get("error")
	if !ok || len(fs) > 64 || !token && !fault {
		return nil
	}
	seen := make(map[string]bool, len(fs))
	for i, f := range fs {
		if seen[f.Name] {
			return nil
		}
		seen[f.Name] = true
		raw := m.member(nil, f.Name, lines.AppendQuoted(nil, f.Value), doc)
		fs[i].Value, _ = stringOf(raw)
		fs[i].Name = m.ident(f.Name)
	}
	return []byte(wire.EncodeForm(fs))
}
