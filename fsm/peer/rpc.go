package peer

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// rpc is the part of an MCP message that matters here.
type rpc struct {
	ID     jsontext.Value `json:"id"`
	Method string         `json:"method"`
	Params struct {
		Name string `json:"name"`
	} `json:"params"`
}

func (m *rpc) read(body []byte) bool {
	return len(body) > 0 && json.Unmarshal(body, m) == nil
}

// calledTool is the name in a tools/call, or "".
func calledTool(body []byte) string {
	var m rpc
	if !m.read(body) || m.Method != "tools/call" {
		return ""
	}
	return m.Params.Name
}

// requestID copies the JSON-RPC id, or null.
func requestID(body []byte) jsontext.Value {
	var m rpc
	if m.read(body) && len(m.ID) > 0 {
		return m.ID
	}
	return jsontext.Value("null")
}

// calledMethod is the method of an MCP message, or "".
func calledMethod(body []byte) string {
	var m rpc
	if !m.read(body) {
		return ""
	}
	return m.Method
}
