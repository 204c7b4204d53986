package lines

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// The line of a step is written by hand: recording must stay cheap beside the
// machine's own work, and the same step must give the same bytes.

// Writer appends the members of one JSON object after another to B, which
// begins with the opening brace. Members with no content are left out.
type Writer struct {
	B []byte
	// Whole says that the body of the input is known to be a JSON object.
	Whole bool
}

// AppendQuoted appends a JSON string. What is not UTF-8 in it becomes U+FFFD.
func AppendQuoted(b []byte, s string) []byte {
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

func (w *Writer) Name(n string) {
	if c := w.B[len(w.B)-1]; c != '{' && c != '[' {
		w.B = append(w.B, ',')
	}
	w.B = append(w.B, '"')
	w.B = append(w.B, n...)
	w.B = append(w.B, '"', ':')
}

func (w *Writer) Open(n string) {
	w.Name(n)
	w.B = append(w.B, '{')
}

func (w *Writer) Shut() { w.B = append(w.B, '}') }

func (w *Writer) Str(n, v string) {
	if v != "" {
		w.Name(n)
		w.B = AppendQuoted(w.B, v)
	}
}

func (w *Writer) Num(n string, v uint64) {
	if v != 0 {
		w.Name(n)
		w.B = strconv.AppendUint(w.B, v, 10)
	}
}

func (w *Writer) Int(n string, v int64) {
	if v != 0 {
		w.Name(n)
		w.B = strconv.AppendInt(w.B, v, 10)
	}
}

func (w *Writer) Yes(n string, v bool) {
	if v {
		w.Name(n)
		w.B = append(w.B, "true"...)
	}
}

func (w *Writer) Time(n string, v time.Time) {
	if !v.IsZero() {
		w.Name(n)
		w.B = append(w.B, '"')
		w.B = v.UTC().AppendFormat(w.B, time.RFC3339Nano)
		w.B = append(w.B, '"')
	}
}

func (w *Writer) dur(n string, v time.Duration) {
	if v != 0 {
		w.Str(n, v.String())
	}
}

func (w *Writer) list(n string, v []string) {
	if len(v) == 0 {
		return
	}
	w.Name(n)
	w.B = append(w.B, '[')
	for i, s := range v {
		if i > 0 {
			w.B = append(w.B, ',')
		}
		w.B = AppendQuoted(w.B, s)
	}
	w.B = append(w.B, ']')
}

// value writes a record: as the JSON that it is, or as a string.
func (w *Writer) Value(n string, v wire.Secret) {
	s := v.Reveal()
	if s == "" || s[0] != '{' {
		w.Str(n, s)
		return
	}
	w.Name(n)
	w.B = append(w.B, s...)
}

func (w *Writer) fields(n string, fs wire.Fields) {
	if len(fs) == 0 {
		return
	}
	w.Name(n)
	w.B = append(w.B, '[')
	for i, f := range fs {
		if i > 0 {
			w.B = append(w.B, ',')
		}
		w.B = append(w.B, '[')
		w.B = AppendQuoted(w.B, f.Name)
		w.B = append(w.B, ',')
		w.B = AppendQuoted(w.B, f.Value)
		if f.Secret {
			w.B = append(w.B, `,"secret"`...)
		}
		w.B = append(w.B, ']')
	}
	w.B = append(w.B, ']')
}

// body writes a body: as JSON when it is one strict object on one line, else
// as a string.
func (w *Writer) body(b []byte, whole bool) {
	switch {
	case len(b) == 0:
	case b[0] == '{' && singleLine(b) && (whole || jsontext.Value(b).IsValid()):
		w.Name("json")
		w.B = append(w.B, b...)
	default:
		w.Str("body", string(b))
	}
}

func singleLine(b []byte) bool {
	return b[len(b)-1] == '}' && bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') < 0
}

func (w *Writer) key(k states.Key) {
	w.Open("key")
	w.Str("kind", string(k.Kind))
	w.Str("tenant", k.Tenant)
	w.Str("subject", k.Subject)
	w.Str("account", k.Account)
	w.Str("name", k.Name)
	w.Shut()
}

func (w *Writer) response(r wire.Response) {
	w.Open("response")
	w.Int("status", int64(r.Status))
	w.fields("header", r.Header)
	w.body(r.Body, w.Whole)
	w.Yes("oversized", r.Oversized)
	w.Shut()
}

func (w *Writer) request(r wire.Request) {
	w.Open("request")
	w.Str("method", r.Method)
	w.Str("url", r.URL)
	w.fields("header", r.Header)
	w.fields("form", r.Form)
	w.body(r.Body, false)
	w.Shut()
}
