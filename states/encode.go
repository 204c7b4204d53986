package states

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states/wire"
)

// The records of a login are written member by member: by reflection they
// would be a quarter of the cost of a cold login. The bytes are the same that
// reflection gives, which a test holds against values with every member set.

// encoded gives the text of the records that every login writes; ok is false
// for all others, and for those that carry members of a newer writer.
func encoded(v any) (text string, ok bool, err error) {
	var w writer
	switch v := v.(type) {
	case *Credential:
		if len(v.Unknown) > 0 {
			return "", false, nil
		}
		w.b.Grow(1536)
		w.credential(v)
	case *Login:
		w.b.Grow(2048)
		w.login(v)
	case *Registration:
		if len(v.Unknown) > 0 {
			return "", false, nil
		}
		w.b.Grow(512)
		w.registration(v)
	case *Config:
		w.b.Grow(512)
		w.config(v)
	case *Mark:
		w.b.Grow(128)
		w.open()
		w.always("version", int64(v.Version))
		w.text("holder", v.Holder)
		w.instant("since", v.Since)
		w.close()
	default:
		return "", false, nil
	}
	return w.b.String(), true, w.err
}

// writer writes one JSON object after another into one text.
type writer struct {
	b     strings.Builder
	first bool // nothing is in the object yet
	err   error
}

func (w *writer) open()  { w.b.WriteByte('{'); w.first = true }
func (w *writer) close() { w.b.WriteByte('}'); w.first = false }

func (w *writer) name(name string) {
	if !w.first {
		w.b.WriteByte(',')
	}
	w.first = false
	w.b.WriteByte('"')
	w.b.WriteString(name)
	w.b.WriteString(`":`)
}

// quoted writes a JSON string.
func (w *writer) quoted(s string) {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			b, err := jsontext.AppendQuote(nil, s)
			if err != nil && w.err == nil {
				w.err = err
			}
			w.b.Write(b)
			return
		}
	}
	w.b.WriteByte('"')
	w.b.WriteString(s)
	w.b.WriteByte('"')
}

// required writes a member also when it is empty; text leaves it out then.
func (w *writer) required(name, s string) { w.name(name); w.quoted(s) }

func (w *writer) text(name, s string) {
	if s != "" {
		w.required(name, s)
	}
}

func (w *writer) secret(name string, s wire.Secret) { w.text(name, s.Reveal()) }

// always writes a number also when it is zero; number leaves it out then.
func (w *writer) always(name string, n int64) {
	var buf [20]byte
	w.name(name)
	w.b.Write(strconv.AppendInt(buf[:0], n, 10))
}

func (w *writer) number(name string, n int64) {
	if n != 0 {
		w.always(name, n)
	}
}

func (w *writer) generation(name string, g Generation) {
	var buf [20]byte
	w.name(name)
	w.b.Write(strconv.AppendUint(buf[:0], uint64(g), 10))
}

func (w *writer) flag(name string, on bool) {
	if on {
		w.name(name)
		w.b.WriteString("true")
	}
}

// instant writes a time also when it is zero; moment leaves it out then.
func (w *writer) instant(name string, t time.Time) {
	var buf [40]byte
	w.name(name)
	w.b.WriteByte('"')
	text, err := t.AppendText(buf[:0])
	if err != nil && w.err == nil {
		w.err = err
	}
	w.b.Write(text)
	w.b.WriteByte('"')
}

func (w *writer) moment(name string, t time.Time) {
	if !t.IsZero() {
		w.instant(name, t)
	}
}

func (w *writer) list(name string, ss []string) {
	if len(ss) == 0 {
		return
	}
	w.name(name)
	for i, s := range ss {
		if i == 0 {
			w.b.WriteByte('[')
		} else {
			w.b.WriteByte(',')
		}
		w.quoted(s)
	}
	w.b.WriteByte(']')
}

// rare writes a member that few records have.
func (w *writer) rare(name string, v any) {
	b, err := json.Marshal(v, reveal)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.name(name)
	w.b.Write(b)
}
