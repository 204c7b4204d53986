package wire

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The bounds of a JSON document (rules net-size-limit, token-resp-size).
const (
	MaxBody  = 1 << 20 // bytes of a document
	maxDepth = 64      // levels of nested arrays and objects
)

// JSONError says why a document is not one strict JSON object. It names a position,
// never a value from the document (rule log-error-echo).
type JSONError struct {
	// Offset is the byte at which the error was found, or -1 if it has no position.
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

// HoldsObject reports whether a response is a complete JSON object, even if it is not
// strict: then it comes from the server itself and is not a page of something in between.
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
	// The library judges syntax, UTF-8 and duplicate names at every level. The code
	// below only splits a document that is known to be sound.
	if !jsontext.Value(body).IsValid() {
		return nil, jsonFault(body)
	}
	if body[i] != '{' {
		return nil, &JSONError{Offset: -1, Reason: "JSON, but not an object", NotObject: true}
	}
	names := string(body) // one copy for all names that need no decoding
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

// skipValue returns the end of the value that starts at i in a sound document, and how
// deeply its arrays and objects are nested.
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
			if depth == 0 { // the end of the container ends what is in it
				return i, deepest
			}
			depth--
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
	if err != nil { // not reached: the document is known to be sound
		return ""
	}
	return string(out)
}
