package lines

import (
	"bytes"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// The line of a step is written by hand: recording must stay cheap compared with the
// machine's own work, and the same step must give the same bytes.

// Writer appends the members of a JSON object, one after another, to B, which begins
// with the opening brace. Members without content are left out.
type Writer struct {
	B []byte
	// Whole says that the body of the input is known to be a JSON object.
	Whole bool
}

// AppendQuoted appends a JSON string. Invalid UTF-8 in it becomes U+FFFD.
func AppendQuoted(b []byte, s string) []byte {
	if !isPlain(s) {
		b, _ = jsontext.AppendQuote(b, s)
		return b
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// isPlain reports whether a text can be put between quotes in JSON as it is: it must be
// printable ASCII (or DEL) without quotes and backslashes (RFC 8259 §7).
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (w *Writer) Name(n string) { w.B = append(appendName(w.B, n), '"', ':') }

// appendName writes a name up to its closing quote.
func appendName(b []byte, n string) []byte {
	if c := b[len(b)-1]; c == '{' || c == '[' {
		b = append(b, '"')
	} else {
		b = append(b, ',', '"')
	}
	return append(b, n...)
}

func (w *Writer) Open(n string) {
	w.B = append(appendName(w.B, n), `":{`...)
}

func (w *Writer) Shut() { w.B = append(w.B, '}') }

func (w *Writer) Str(n, v string) {
	switch {
	case v == "":
	case isPlain(v):
		w.B = append(append(append(appendName(w.B, n), `":"`...), v...), '"')
	default:
		w.Name(n)
		w.B = AppendQuoted(w.B, v)
	}
}

// Word does what Str does for a text that needs no escapes: a name of this project or of
// a protocol.
func (w *Writer) Word(n, v string) {
	if v != "" {
		w.B = append(append(append(appendName(w.B, n), `":"`...), v...), '"')
	}
}

func (w *Writer) Num(n string, v uint64) {
	if v != 0 {
		w.B = strconv.AppendUint(append(appendName(w.B, n), `":`...), v, 10)
	}
}

func (w *Writer) Int(n string, v int64) {
	if v != 0 {
		w.B = strconv.AppendInt(append(appendName(w.B, n), `":`...), v, 10)
	}
}

func (w *Writer) Yes(n string, v bool) {
	if v {
		w.B = append(appendName(w.B, n), `":true`...)
	}
}

func (w *Writer) Time(n string, v time.Time) {
	if !v.IsZero() {
		w.B = append(appendTime(append(appendName(w.B, n), `":"`...), v.UTC()), '"')
	}
}

// appendTime writes a UTC time as time.RFC3339Nano does, but faster: every step has one
// or two times.
func appendTime(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, time.RFC3339Nano)
	}
	hour, minute, second := t.Clock()
	b = appendTwo(appendTwo(b, year/100), year%100)
	b = appendTwo(append(b, '-'), int(month))
	b = appendTwo(append(b, '-'), day)
	b = appendTwo(append(b, 'T'), hour)
	b = appendTwo(append(b, ':'), minute)
	b = appendTwo(append(b, ':'), second)
	if n := t.Nanosecond(); n != 0 {
		b = append(b, '.')
		for unit := 100_000_000; n != 0; unit /= 10 {
			b = append(b, byte('0'+n/unit))
			n %= unit
		}
	}
	return append(b, 'Z')
}

func appendTwo(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

func (w *Writer) dur(n string, v time.Duration) {
	if v != 0 {
		w.Str(n, v.String())
	}
}

func (w *Writer) list(n string, v []string) {
	if len(v) == 0 {
		return
	}
	b := append(appendName(w.B, n), `":[`...)
	for i, s := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendQuoted(b, s)
	}
	w.B = append(b, ']')
}

// Value writes a record as its JSON text, and anything else as a string.
func (w *Writer) Value(n string, v wire.Secret) {
	s := v.Reveal()
	if s == "" || s[0] != '{' {
		w.Str(n, s)
		return
	}
	w.B = append(append(appendName(w.B, n), `":`...), s...)
}

func (w *Writer) fields(n string, fs wire.Fields) {
	if len(fs) == 0 {
		return
	}
	b := append(appendName(w.B, n), `":[`...)
	for i := range fs {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendQuoted(append(b, '['), fs[i].Name)
		b = AppendQuoted(append(b, ','), fs[i].Value)
		if fs[i].Secret {
			b = append(b, `,"secret"`...)
		}
		b = append(b, ']')
	}
	w.B = append(b, ']')
}

// body writes a body: as JSON if it is one strict object on one line, otherwise as a
// string.
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
	w.Word("kind", string(k.Kind))
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
	w.Word("method", r.Method)
	w.Str("url", r.URL)
	w.fields("header", r.Header)
	w.fields("form", r.Form)
	w.body(r.Body, true) // the machine's own encoder wrote it
	w.Shut()
}
