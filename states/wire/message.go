package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Field is one named value in a header, a form or a query. Lists of fields keep their
// order, so that two equal machines print equal bytes.
type Field struct {
	Name  string `json:"n"`
	Value string `json:"v"`
	// Secret marks a value that opens something (a token, a code, a client
	// secret). Printing the field shows secret(…) instead of the value.
	Secret bool `json:"s,omitzero"`
}

// String shows the field, and masks a secret value.
func (f Field) String() string {
	if f.Secret {
		return f.Name + "=" + mask
	}
	return f.Name + "=" + strconv.Quote(f.Value)
}

// Format keeps every verb of fmt from reaching a secret value.
func (f Field) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(f.String())) }

// MarshalJSON masks a secret value, unless the encoder has its own marshaller for
// Field.
func (f Field) MarshalJSON() ([]byte, error) {
	value := f.Value
	if f.Secret {
		value = mask
	}
	b := appendMember([]byte{'{'}, "n", f.Name)
	b = appendQuoted(appendName(b, "v"), value)
	if f.Secret {
		b = append(b, `,"s":true`...)
	}
	return append(b, '}'), nil
}

// Fields is an ordered list of fields.
type Fields []Field

// Get returns the first value of a form or query name, compared exactly
// (RFC 6749 §3.1 names are case-sensitive).
func (fs Fields) Get(name string) (string, bool) {
	for _, f := range fs {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// Header returns all values of a header field, in the order received. Names are
// compared without regard to case (RFC 9110 §5.1).
func (fs Fields) Header(name string) []string {
	var out []string
	for _, f := range fs {
		if strings.EqualFold(f.Name, name) {
			out = append(out, f.Value)
		}
	}
	return out
}

// Request describes one HTTP exchange that somebody else carries out. Exactly
// one of Form and Body is set on a POST; Form travels as
// application/x-www-form-urlencoded in the given order.
type Request struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Header Fields `json:"header,omitempty"`
	Form   Fields `json:"form,omitempty"`
	Body   []byte `json:"body,omitempty"`
}

// String shows the request without its secrets; of a body it shows only the size.
func (r Request) String() string {
	var b strings.Builder
	b.WriteString(r.Method + " " + r.URL)
	for _, h := range r.Header {
		b.WriteString(" " + h.String())
	}
	for _, f := range r.Form {
		b.WriteString(" " + f.String())
	}
	if len(r.Body) > 0 {
		fmt.Fprintf(&b, " body(%d)", len(r.Body))
	}
	return b.String()
}

// Format keeps every verb of fmt from reaching a secret.
func (r Request) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(r.String())) }

// Response is what came back. The body has been read within the limit of its
// Send; Oversized says that there was more.
type Response struct {
	Status    int    `json:"status"`
	Header    Fields `json:"header,omitempty"`
	Body      []byte `json:"body,omitempty"`
	Oversized bool   `json:"oversized,omitzero"`
}

// String shows only the status and the size, because bodies and headers of a peer may
// hold secrets.
func (r Response) String() string {
	return fmt.Sprintf("%d body(%d)", r.Status, len(r.Body))
}

// Format keeps every verb of fmt from reaching a secret.
func (r Response) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(r.String())) }
