package bridge

import (
	"encoding/json"
	"slices"
	"time"
)

// The methods and versions that the bridge has to know; all others pass.
const (
	initialize     = "initialize"
	initialized    = "notifications/initialized"
	cancelled      = "notifications/cancelled"
	rootsChanged   = "notifications/roots/list_changed"
	toolsChanged   = "notifications/tools/list_changed"
	promptsChanged = "notifications/prompts/list_changed"
	thingsChanged  = "notifications/resources/list_changed"
	thingUpdated   = "notifications/resources/updated"
	acknowledged   = "notifications/subscriptions/acknowledged"
	visited        = "notifications/elicitation/complete"
	ping           = "ping"
	discover       = "server/discover"
	listen         = "subscriptions/listen"
	subscribe      = "resources/subscribe"
	unsubscribe    = "resources/unsubscribe"
	setLevel       = "logging/setLevel"
	listTools      = "tools/list"
	callTool       = "tools/call"
	elicit         = "elicitation/create"

	metaVersion      = "io.modelcontextprotocol/protocolVersion"
	metaClient       = "io.modelcontextprotocol/clientInfo"
	metaServer       = "io.modelcontextprotocol/serverInfo"
	metaCapabilities = "io.modelcontextprotocol/clientCapabilities"
	metaLevel        = "io.modelcontextprotocol/logLevel"
	metaSubscription = "io.modelcontextprotocol/subscriptionId"

	modern  = "2026-07-28" // the first version without sessions
	newest  = "2025-11-25" // the last one with them
	partial = "input_required"
)

// sessionVersions are the versions that begin with `initialize`.
var sessionVersions = []string{"2024-11-05", "2025-03-26", "2025-06-18", newest}

// The codes of errors that have no constant in the SDK's jsonrpc package.
const (
	codeLogin       = -32042 // a URL must be visited first
	codeUnsupported = -32022 // the protocol version is not supported
)

const (
	partingTime = time.Second      // for the last messages to a side that may be gone
	maxRounds   = 10               // of questions that one request of the host leads to
	maxLogins   = 3                // that one request waits for: another instance may hand its own over
	parkTime    = 10 * time.Minute // how long a question waits for the host to send its request again
)

// onlyReads are the requests that a server may see twice without harm.
var onlyReads = []string{
	ping, listTools, "prompts/list", "prompts/get", "resources/list", "resources/templates/list", "resources/read",
	"completion/complete", subscribe, unsubscribe, setLevel,
}

// asksBack are the requests that a server of the new era may answer with questions.
var asksBack = []string{callTool, "prompts/get", "resources/read"}

// lists gives the empty result of each list method, for servers that lack the method.
var lists = map[string]string{
	listTools: "tools", "prompts/list": "prompts", "resources/list": "resources", "resources/templates/list": "resourceTemplates",
}

// object is a JSON object whose members pass as they are.
type object map[string]json.RawMessage

// parse reads an object; anything else is an empty one.
func parse(raw json.RawMessage) object {
	o := object{}
	_ = json.Unmarshal(raw, &o)
	if o == nil {
		o = object{}
	}
	return o
}

func (o object) text(name string) string {
	var s string
	_ = json.Unmarshal(o[name], &s)
	return s
}

// withMeta gives raw with members of its _meta set; a nil value removes one.
func withMeta(raw json.RawMessage, members object) json.RawMessage {
	o := parse(raw)
	meta := parse(o["_meta"])
	for name, v := range members {
		if meta[name] = v; v == nil {
			delete(meta, name)
		}
	}
	if o["_meta"] = marshal(meta); len(meta) == 0 {
		delete(o, "_meta")
	}
	return marshal(o)
}

// session reports whether a version begins with `initialize`.
func session(version string) bool { return slices.Contains(sessionVersions, version) }
