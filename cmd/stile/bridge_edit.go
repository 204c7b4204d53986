package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
)

// This file puts an entry into a text that a user also edits: what is around the entry,
// comments included, stays byte for byte.

// plainJSON gives JSON with comments and trailing commas as plain JSON of the same length:
// spaces take their place. With commas, trailing commas stay.
func plainJSON(text []byte, commas bool) []byte {
	out := bytes.Clone(text)
	comma, quoted := -1, false
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			if out[i] != '\n' && out[i] != '\r' {
				out[i] = ' '
			}
		}
	}
	if bytes.HasPrefix(out, []byte("\xef\xbb\xbf")) { // a byte order mark
		blank(0, 3)
	}
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case quoted && c == '\\':
			i++
		case quoted:
			quoted = c != '"'
		case c == '"':
			quoted, comma = true, -1
		case bytes.HasPrefix(out[i:], []byte("//")):
			end := bytes.IndexByte(out[i:], '\n')
			if end < 0 {
				end = len(out) - i
			}
			blank(i, i+end)
		case bytes.HasPrefix(out[i:], []byte("/*")):
			end := bytes.Index(out[i+2:], []byte("*/"))
			if end < 0 {
				return out // not JSON in any case
			}
			blank(i, i+2+end+2)
		case c == ',':
			comma = i
		case c == '}' || c == ']':
			if comma >= 0 && !commas {
				out[comma] = ' '
			}
			comma = -1
		case !space(c):
			comma = -1
		}
	}
	return out
}

func space(c byte) bool { return strings.IndexByte(" \t\r\n", c) >= 0 }

// span is where a member of an object is: its name begins at key, its value is from:to.
type span struct {
	name          string
	key, from, to int
}

// spans finds the members of the object that begins at an offset of plain JSON, and its
// closing brace.
func spans(plain []byte, at int) (members []span, end int, err error) {
	d := json.NewDecoder(bytes.NewReader(plain[at:]))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, 0, errors.Join(errors.New("no object"), err)
	}
	for d.More() {
		key := at + int(d.InputOffset())
		t, err := d.Token()
		if err != nil {
			return nil, 0, err
		}
		for plain[key] != '"' {
			key++
		}
		m := span{key: key}
		m.name, _ = t.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, 0, err
		}
		m.to = at + int(d.InputOffset())
		m.from = m.to - len(value)
		members = append(members, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, 0, err
	}
	return members, at + int(d.InputOffset()) - 1, nil
}

// editor changes a text of JSON with comments.
type editor struct {
	text, plain []byte
	eol, unit   string // the end of a line, and one step of indentation
}

func edit(text []byte) editor {
	e := editor{text: text, plain: plainJSON(text, false), eol: "\n", unit: "  "}
	if bytes.Contains(text, []byte("\r\n")) {
		e.eol = "\r\n"
	}
	if members, _, err := spans(e.plain, e.root()); err == nil && len(members) > 0 {
		if in, ok := e.indentation(members[0].key); ok && in != "" {
			e.unit = in
		}
	}
	return e
}

// root is where the text's object begins.
func (e editor) root() int { return max(0, bytes.IndexByte(e.plain, '{')) }

// indentation is the white space that the line of an offset begins with; alone reports
// whether nothing else is before the offset.
func (e editor) indentation(at int) (white string, alone bool) {
	line := e.plain[bytes.LastIndexByte(e.plain[:at], '\n')+1 : at]
	rest := bytes.TrimLeft(line, " \t")
	return string(line[:len(line)-len(rest)]), len(rest) == 0
}

// put sets a member of the object at an offset, and gives the new text.
func (e editor) put(at int, name string, value json.RawMessage) ([]byte, error) {
	members, end, err := spans(e.plain, at)
	if err != nil {
		return nil, err
	}
	outer, _ := e.indentation(end)
	if _, alone := e.indentation(end); !alone {
		outer, _ = e.indentation(at)
	}
	inner := outer + e.unit
	for _, m := range members {
		if in, alone := e.indentation(m.key); alone {
			inner = in
		}
		if m.name == name {
			return splice(e.text, m.from, m.to, e.lines(value, inner)), nil
		}
	}
	body := e.eol + inner + string(marshalled(name)) + ": " + e.lines(value, inner)
	last := end // the end of what the object holds, comments included
	for last > at+1 && space(e.text[last-1]) {
		last--
	}
	if !bytes.ContainsRune(e.text[last:end], '\n') {
		body += e.eol + outer
	}
	out := splice(e.text, last, last, body)
	if n := len(members); n > 0 && !bytes.ContainsRune(plainJSON(e.text, true)[members[n-1].to:end], ',') {
		out = splice(out, members[n-1].to, members[n-1].to, ",")
	}
	return out, nil
}

// lines is a value on lines of its own, below a line with this indentation.
func (e editor) lines(value json.RawMessage, indentation string) string {
	var b bytes.Buffer
	_ = json.Indent(&b, value, indentation, e.unit)
	return strings.ReplaceAll(b.String(), "\n", e.eol)
}

func splice(text []byte, from, to int, with string) []byte {
	return append(append(bytes.Clone(text[:from]), with...), text[to:]...)
}

// tomlServer matches the beginning of the table of a server, and tomlInline the one form
// of a list of servers that no table can be added to.
var (
	tomlServer = regexp.MustCompile(`(?m)^[ \t]*\[[ \t]*mcp_servers[ \t]*\.[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))[ \t]*\]`)
	tomlInline = regexp.MustCompile(`(?m)^[ \t]*mcp_servers[ \t]*=`)
)

// tomlTable finds the table of a server in a text of TOML, without the tables below it.
func tomlTable(text, name string) (table string, found bool) {
	for _, m := range tomlServer.FindAllStringSubmatchIndex(text, -1) {
		for g := 2; g < len(m); g += 2 {
			if m[g] < 0 || text[m[g]:m[g+1]] != name {
				continue
			}
			rest := text[m[1]:]
			if next := regexp.MustCompile(`(?m)^[ \t]*\[`).FindStringIndex(rest); next != nil {
				rest = rest[:next[0]]
			}
			return text[m[0]:m[1]] + rest, true
		}
	}
	return "", false
}
