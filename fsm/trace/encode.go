package trace

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// The line of a step is written by hand: recording must stay cheap beside the
// machine's own work, and the same step must give the same bytes.

// writer appends JSON. Members with no content are left out.
type writer struct {
	b []byte
	// whole says that the body of the input is known to be a JSON object.
	whole bool
}

func appendQuoted(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b, _ = jsontext.AppendQuote(b, s)
			return b
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func (w *writer) name(n string) {
	if c := w.b[len(w.b)-1]; c != '{' && c != '[' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, n...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) open(n string) {
	w.name(n)
	w.b = append(w.b, '{')
}

func (w *writer) shut() { w.b = append(w.b, '}') }

func (w *writer) str(n, v string) {
	if v != "" {
		w.name(n)
		w.b = appendQuoted(w.b, v)
	}
}

func (w *writer) num(n string, v uint64) {
	if v != 0 {
		w.name(n)
		w.b = strconv.AppendUint(w.b, v, 10)
	}
}

func (w *writer) int(n string, v int64) {
	if v != 0 {
		w.name(n)
		w.b = strconv.AppendInt(w.b, v, 10)
	}
}

func (w *writer) yes(n string, v bool) {
	if v {
		w.name(n)
		w.b = append(w.b, "true"...)
	}
}

func (w *writer) time(n string, v time.Time) {
	if !v.IsZero() {
		w.name(n)
		w.b = append(w.b, '"')
		w.b = v.UTC().AppendFormat(w.b, time.RFC3339Nano)
		w.b = append(w.b, '"')
	}
}

func (w *writer) dur(n string, v time.Duration) {
	if v != 0 {
		w.str(n, v.String())
	}
}

func (w *writer) list(n string, v []string) {
	if len(v) == 0 {
		return
	}
	w.name(n)
	w.b = append(w.b, '[')
	for i, s := range v {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendQuoted(w.b, s)
	}
	w.b = append(w.b, ']')
}

// value writes a record: as the JSON that it is, or as a string.
func (w *writer) value(n string, v wire.Secret) {
	s := v.Reveal()
	if s == "" || s[0] != '{' {
		w.str(n, s)
		return
	}
	w.name(n)
	w.b = append(w.b, s...)
}

func (w *writer) fields(n string, fs wire.Fields) {
	if len(fs) == 0 {
		return
	}
	w.name(n)
	w.b = append(w.b, '[')
	for i, f := range fs {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, '[')
		w.b = appendQuoted(w.b, f.Name)
		w.b = append(w.b, ',')
		w.b = appendQuoted(w.b, f.Value)
		if f.Secret {
			w.b = append(w.b, `,"secret"`...)
		}
		w.b = append(w.b, ']')
	}
	w.b = append(w.b, ']')
}

// body writes a body: as JSON when it is one strict object on one line, else
// as a string.
func (w *writer) body(b []byte, whole bool) {
	switch {
	case len(b) == 0:
	case b[0] == '{' && singleLine(b) && (whole || jsontext.Value(b).IsValid()):
		w.name("json")
		w.b = append(w.b, b...)
	default:
		w.str("body", string(b))
	}
}

func singleLine(b []byte) bool {
	return b[len(b)-1] == '}' && bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') < 0
}

func (w *writer) key(k states.Key) {
	w.open("key")
	w.str("kind", string(k.Kind))
	w.str("tenant", k.Tenant)
	w.str("subject", k.Subject)
	w.str("account", k.Account)
	w.str("name", k.Name)
	w.shut()
}

func (w *writer) response(r wire.Response) {
	w.open("response")
	w.int("status", int64(r.Status))
	w.fields("header", r.Header)
	w.body(r.Body, w.whole)
	w.yes("oversized", r.Oversized)
	w.shut()
}

func (w *writer) request(r wire.Request) {
	w.open("request")
	w.str("method", r.Method)
	w.str("url", r.URL)
	w.fields("header", r.Header)
	w.fields("form", r.Form)
	w.body(r.Body, false)
	w.shut()
}

// appendStep writes the record of one step, with its line end.
func appendStep(b []byte, n int, from states.State, at time.Time, in states.Input, r *fsm.Result, whole bool) []byte {
	w := writer{b: append(b, '{'), whole: whole}
	w.int("n", int64(n))
	w.time("time", at)
	w.str("from", string(from))
	w.open("input")
	w.input(in)
	w.shut()
	w.str("event", string(r.Event))
	w.str("to", string(r.Machine.State))
	w.yes("held", r.Held)
	notes, effects := 0, 0
	for _, e := range r.Effects {
		if _, note := e.(states.Note); note {
			notes++
		} else {
			effects++
		}
	}
	if effects > 0 {
		w.name("effects")
		w.b = append(w.b, '[')
		for _, e := range r.Effects {
			if _, note := e.(states.Note); note {
				continue
			}
			if w.b[len(w.b)-1] != '[' {
				w.b = append(w.b, ',')
			}
			w.b = append(w.b, '{')
			w.effect(e)
			w.shut()
		}
		w.b = append(w.b, ']')
	}
	if notes > 0 {
		w.name("notes")
		w.b = append(w.b, '[')
		for _, e := range r.Effects {
			if f, note := e.(states.Note); note {
				if w.b[len(w.b)-1] != '[' {
					w.b = append(w.b, ',')
				}
				w.b = append(w.b, '{')
				w.str("rule", string(f.Finding.Rule))
				w.str("detail", f.Finding.Detail)
				w.shut()
			}
		}
		w.b = append(w.b, ']')
	}
	return append(w.b, '}', '\n')
}
