package bearer

import (
	"bytes"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var errAmbiguous = errors.New("bearer: members that differ only in case")

// calledTools lists the tools that a JSON-RPC message, or a batch of them (MCP
// 2025-03-26), calls. Duplicate members, bytes after the message, and names that a
// careless decoder would take for method, params or name are errors, because the handler
// must read what is judged here.
func calledTools(body []byte) ([]string, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, nil
	}
	var messages []jsontext.Value
	if body[0] == '[' {
		if err := json.Unmarshal(body, &messages); err != nil {
			return nil, err
		}
	} else {
		messages = []jsontext.Value{body}
	}
	var names []string
	for _, m := range messages {
		name, err := calledTool(m)
		if err != nil {
			return nil, err
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

func calledTool(message jsontext.Value) (string, error) {
	top, err := members(message, "method", "params")
	if err != nil {
		return "", err
	}
	var method, name string
	if top[0] == nil || json.Unmarshal(top[0], &method) != nil || method != "tools/call" {
		return "", nil
	}
	params, err := members(top[1], "name")
	if err != nil {
		return "", err
	}
	if json.Unmarshal(params[0], &name) != nil || name == "" {
		return "", errors.New("bearer: a tools/call without a name")
	}
	return name, nil
}

// members returns the values of the wanted members of an object, nil where
// there is none.
func members(object jsontext.Value, want ...string) ([]jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, errors.New("bearer: not an object")
	}
	out := make([]jsontext.Value, len(want))
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := t.String()
		v, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		for i, w := range want {
			switch {
			case name == w:
				out[i] = v.Clone()
			case strings.EqualFold(name, w):
				return nil, errAmbiguous
			}
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	if rest := bytes.TrimSpace(d.UnreadBuffer()); len(rest) > 0 {
		return nil, errors.New("bearer: bytes after the object")
	}
	return out, nil
}
