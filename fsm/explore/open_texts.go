package explore

import (
	"fmt"

	"github.com/stile-oauth/stile/states"
)

// challenges are what the MCP server may say to a request.
var challenges = []struct {
	name   string
	status int
	header string
}{
	{"401", 401, `Bearer scope="user", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`},
	{"401 and nothing else", 401, ""},
	{"403 and nothing else", 403, ""},
	{"403, more scope", 403, `Bearer error="insufficient_scope", scope="user admin"`},
	{"403, scope that is held", 403, `Bearer error="insufficient_scope", scope="user"`},
	{"403, more scope and none named", 403, `Bearer error="insufficient_scope"`},
	{"401 with metadata elsewhere", 401, `Bearer resource_metadata="https://evil.example/prm"`},
}

// callbacks are what may come back from the browser.
var callbacks = []struct {
	name  string
	pairs []string // STATE is this login's
	base  string
}{
	{name: "the callback brings a code", pairs: []string{"code", "CODE", "state", "STATE", "iss", issuer}},
	{name: "a callback with another state", pairs: []string{"code", "code-of-a-stranger", "state", "guessed", "iss", issuer}},
	{name: "a callback of another issuer", pairs: []string{"code", "code-of-a-stranger", "state", "STATE", "iss", "https://evil.example"}},
	{name: "a callback without iss", pairs: []string{"code", "CODE", "state", "STATE"}},
	{name: "a callback at another address", pairs: []string{"code", "CODE", "state", "STATE", "iss", issuer}, base: "http://127.0.0.1:4711/elsewhere"},
	{name: "the user refuses", pairs: []string{"error", "access_denied", "state", "STATE", "iss", issuer}},
	{name: "the issuer does not know the scope", pairs: []string{"error", "invalid_scope", "state", "STATE", "iss", issuer}},
	{name: "the issuer does not know the client", pairs: []string{"error", "unauthorized_client", "state", "STATE", "iss", issuer}},
	{name: "the issuer fails", pairs: []string{"error", "server_error", "state", "STATE", "iss", issuer}},
	{name: "code and error at once", pairs: []string{"error", "server_error", "code", "CODE", "state", "STATE", "iss", issuer}},
	{name: "two codes", pairs: []string{"code", "CODE", "code", "code-of-a-stranger", "state", "STATE", "iss", issuer}},
	{name: "neither code nor error", pairs: []string{"state", "STATE", "iss", issuer}},
}

func (w *world) openCallback(i, n int) {
	a := &w.actors[i]
	if a.visit == nil || a.m.Data.Flow == nil {
		return
	}
	v := a.visit
	c := callbacks[n]
	w.coined++
	code := fmt.Sprintf("code_%08d", w.coined)
	pairs := make([]string, 0, len(c.pairs))
	for _, p := range c.pairs {
		switch p {
		case "CODE":
			p = code
		case "STATE":
			p = a.m.Data.Flow.State.Reveal()
		}
		pairs = append(pairs, p)
	}
	base := callback
	if c.base != "" {
		base = c.base
	}
	challenge, _ := query(v.URL.Reveal()).Get("code_challenge")
	w.ghost.issue(secret{value: code, kind: "code", home: w.home(v.URL.Reveal()), challenge: challenge})
	w.ghost.issue(secret{value: "code-of-a-stranger", kind: "code", home: issuer, foreign: true})
	w.step(i, states.Redirected{Serial: v.Serial, URL: back(base, pairs...)})
}
