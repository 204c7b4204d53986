package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The bounds of a JSON document (rules net-size-limit, token-resp-size).
const (
	MaxBody  = 1 << 20 // bytes of a document
	maxDepth = 64      // arrays and objects inside one another
)

// Member is one member of a JSON object. Raw is the JSON text of the value; it
// aliases the document and is not to be changed.
type Member struct {
	Name string
	Raw  []byte
}

// Object is a JSON object with its members in the order of the document.
// Names compare exactly (RFC 8259 §8.3, RFC 8414 §4). A member whose value is
// null reads as absent in the typed accessors, because several peers write null
// for "nothing" (rules prm-empty-omitted, asm-empty-omitted); Raw still gives it.
type Object []Member

// JSONError says why a document is not one strict JSON object. It names a
// place, never a value of the document (rule log-error-echo).
type JSONError struct {
	// Offset is the byte at which the fault was found, -1 if it has no place.
	Offset int64
	Reason string
	// NotObject: well-formed JSON, but an array, string, number or literal.
	NotObject bool
	// Empty: no bytes other than white space.
	Empty bool
}

func (e *JSONError) Error() string {
	if e.Offset < 0 {
		return e.Reason
	}
	return e.Reason + " at byte " + strconv.FormatInt(e.Offset, 10)
}

// ParseObject reads one JSON object strictly: exact member names without
// duplicates at any level, valid UTF-8, no bytes after the object, at most
// MaxBody bytes and 64 levels (RFC 8259, RFC 7493 §2). The error is a
// *JSONError.
//
// Rules: prm-json-strict, asm-json-strict, token-resp-json-strict,
// log-error-echo.
func ParseObject(body []byte) (Object, error) {
	obj, fault := parseObject(body)
	if fault != nil {
		return nil, fault
	}
	return obj, nil
}

// HoldsObject reports whether a response is a whole JSON object, however loosely
// written: whoever sent it has something to say, and no page came in between.
func HoldsObject(r Response) bool {
	body := bytes.TrimLeft(r.Body, " \t\r\n")
	return !r.Oversized && len(body) > 0 && body[0] == '{' &&
		jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

func parseObject(body []byte) (Object, *JSONError) {
	if len(body) > MaxBody {
		return nil, &JSONError{Offset: MaxBody, Reason: "document is longer than 1 MiB"}
	}
	i := skipSpace(body, 0)
	if i == len(body) {
		return nil, &JSONError{Offset: -1, Reason: "body is empty", Empty: true}
	}
	// The library judges syntax, UTF-8 and duplicate names at every level;
	// what follows only cuts a document that is known to be sound.
	if !jsontext.Value(body).IsValid() {
		return nil, jsonFault(body)
	}
	if body[i] != '{' {
		return nil, &JSONError{Offset: -1, Reason: "JSON, but not an object", NotObject: true}
	}
	names := string(body) // one copy serves all names that need no decoding
	out := make(Object, 0, min(bytes.Count(body, comma)+1, 64))
	for i = skipSpace(body, i+1); body[i] != '}'; i = skipSpace(body, i) {
		if body[i] == ',' {
			i = skipSpace(body, i+1)
		}
		end, _ := skipValue(body, i)
		name := names[i+1 : end-1]
		if strings.IndexByte(name, '\\') >= 0 {
			name = unquote(body[i:end])
		}
		i = skipSpace(body, skipSpace(body, end)+1) // past the colon
		end, deep := skipValue(body, i)
		if deep > maxDepth-1 {
			return nil, &JSONError{Offset: int64(i), Reason: "JSON nested deeper than 64 levels"}
		}
		out = append(out, Member{Name: name, Raw: body[i:end:end]})
		i = end
	}
	return out, nil
}

// jsonFault finds out what IsValid objected to.
func jsonFault(body []byte) *JSONError {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	_, err := dec.ReadValue()
	if err == nil {
		return &JSONError{Offset: dec.InputOffset(), Reason: "bytes after the JSON value"}
	}
	out := &JSONError{Offset: -1, Reason: "not valid JSON"}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		out.Reason = "duplicate member name in JSON"
	}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		out.Offset = s.ByteOffset
	}
	return out
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the end of the value that starts at i of a sound document,
// and how many arrays and objects lie inside one another there.
func skipValue(b []byte, i int) (end, deepest int) {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1, deepest
			}
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			if depth == 0 { // a number or literal ended by its container
				return i, deepest
			}
			if depth--; depth == 0 {
				return i + 1, deepest
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i, deepest
			}
		}
	}
	return i, deepest
}

// unquote decodes a sound JSON string.
func unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	out, err := jsontext.AppendUnquote(nil, raw)
	if err != nil { // not reached: the document was judged sound
		return ""
	}
	return string(out)
}

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

// value is Raw with null read as absent.
func (o Object) value(name string) []byte {
	raw, _ := o.Raw(name)
	if isNull(raw) {
		return nil
	}
	return raw
}

func isNull(raw []byte) bool { return len(raw) > 0 && raw[0] == 'n' }

// String returns a member that is a JSON string. present says that the member
// is there and not null; ok is false when it has another type.
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

// Strings returns a member that is an array of strings. Elements of another
// type are left out and make ok false; the slice is not nil when the member is
// an array, also an empty one.
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
	// One copy of the text serves every element that needs no decoding.
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
