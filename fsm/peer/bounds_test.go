package peer

import (
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states/wire"
)

// What goes on although it is unknown, and what does not although its token is good.
//
// Rules: as-authorize-unknown-ignored, as-authorize-loopback-port, as-register-unknown-ignored,
// revoke-200-unknown, rs-origin-check, rs-handle-bound.
func TestBounds(t *testing.T) {
	h := newSite(t, func(a *ASConfig, r *RSConfig) {
		a.Users, r.Sessions, r.SameOrigin = []User{{Name: "first"}, {Name: "second"}}, true, true
	})
	client := h.register(`{"redirect_uris":["` + back + `"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"unknown":1}`)["client_id"].(string)
	if r := h.get(authorizeURL(client, "unknown", "1")); location(r).Get("code") == "" {
		t.Errorf("an unknown parameter: %d %s", r.Status, r.Body)
	}
	if r := h.get(authorizeURL(client, "redirect_uri", "http://127.0.0.1:1/callback")); location(r).Get("code") == "" {
		t.Errorf("another port: %d %s", r.Status, r.Body)
	}
	if r := h.post(issuer+"/revoke", "token", "nobody knows it", "client_id", client); r.Status != 200 {
		t.Errorf("an unknown token: %d", r.Status)
	}
	first, _ := h.tokens(h.exchange(client, h.code(client)))
	second, _ := h.tokens(h.exchange(client, h.code(client, "login_hint", "second")))
	call := func(method, token string, fields ...string) wire.Response {
		r := wire.Request{Method: "POST", URL: resource, Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"` + method + `"}`), Header: wire.Fields{{Name: "Authorization", Value: "Bearer " + token}}}
		for i := 0; i < len(fields); i += 2 {
			r.Header = append(r.Header, wire.Field{Name: fields[i], Value: fields[i+1]})
		}
		return h.do(r)
	}
	session := strings.Join(call("initialize", first).Header.Header(sessionField), "")
	for _, c := range []struct {
		says   string
		r      wire.Response
		status int
	}{
		{"the session's user", call("tools/list", first, sessionField, session), 200},
		{"another user", call("tools/list", second, sessionField, session), 404},
		{"a session that nobody began", call("tools/list", first, sessionField, "x"), 404},
		{"no token", call("tools/list", "", sessionField, session), 400},
		{"a page of the same origin", call("tools/list", first, "Origin", "https://mcp.example"), 200},
		{"a page of another origin", call("tools/list", first, "Origin", "https://elsewhere.example"), 403},
	} {
		if c.r.Status != c.status {
			t.Errorf("%s: %d, not %d", c.says, c.r.Status, c.status)
		}
	}
	for n := range maxSessions {
		if n == maxSessions-1 && call("tools/list", first, sessionField, session).Status != 200 {
			t.Error("a session ends although there is room")
		}
		call("initialize", first)
	}
	if r := call("tools/list", first, sessionField, session); r.Status != 404 {
		t.Errorf("there are more sessions than may be: %d", r.Status)
	}
}
