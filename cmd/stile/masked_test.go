package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// quoting answers MCP messages, and quotes the token that came with them where the
// place says so.
type quoting struct {
	place, spelling atomic.Pointer[string]
}

var quoteSpellings = map[string]func(string) string{
	"plain":    func(s string) string { return s },
	"percent":  func(s string) string { return url.QueryEscape(strings.ReplaceAll(s, "_", "%5f")) },
	"base64":   func(s string) string { return base64.StdEncoding.EncodeToString([]byte("Bearer " + s)) },
	"capitals": strings.ToUpper,
}

func (q *quoting) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || r.URL.Path != "/mcp" || q.place.Load() == nil {
			h.ServeHTTP(w, r)
			return
		}
		q.answer(w, r, *q.place.Load(), quoteSpellings[*q.spelling.Load()](token))
	})
}

func (q *quoting) answer(w http.ResponseWriter, r *http.Request, place, said string) {
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &m)
	w.Header().Set("Content-Type", "application/json")
	member := func(name string, v any) {
		b, _ := json.Marshal(v)
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,%q:%s}`, m.ID, name, b)
	}
	switch {
	case m.Method == "initialize":
		member("result", map[string]any{"protocolVersion": "2025-06-18", "capabilities": map[string]any{"tools": map[string]any{}}, "serverInfo": map[string]any{"name": "quoting", "version": "1"}})
	case len(m.ID) == 0:
		w.WriteHeader(http.StatusAccepted)
	case place == "redirect":
		http.Redirect(w, r, "http://127.0.0.1:9/?token="+said, http.StatusTemporaryRedirect)
	case place == "redirect, here":
		http.Redirect(w, r, "/elsewhere?token="+url.QueryEscape(said), http.StatusTemporaryRedirect)
	case place == "Retry-After":
		w.Header().Set("Retry-After", said)
		w.WriteHeader(http.StatusServiceUnavailable)
	case place == "media type":
		w.Header().Set("Content-Type", "text/x-"+strings.NewReplacer("=", "", "+", "", "/", "", "%", "").Replace(said))
		_, _ = io.WriteString(w, "hello")
	case place == "error":
		member("error", map[string]any{"code": -32000, "message": "bad token: " + said})
	case place == "error, 400":
		w.WriteHeader(http.StatusBadRequest)
		member("error", map[string]any{"code": -32600, "message": "bad token: " + said})
	case m.Method == "tools/list":
		member("result", map[string]any{"tools": []any{map[string]any{
			"name": "echo", "description": "says " + said, "inputSchema": map[string]any{"type": "object", "properties": map[string]any{said: map[string]any{"type": "string"}}},
		}}})
	case place == "image":
		member("result", map[string]any{"content": []any{map[string]any{"type": "image", "mimeType": "image/png", "data": base64.StdEncoding.EncodeToString([]byte(said))}}})
	default:
		member("result", map[string]any{
			"content":           []any{map[string]any{"type": "text", "text": "first line\nyour token is " + said + "\nlast line"}},
			"structuredContent": map[string]any{"count": 1234567, "said": said, said: 1},
			"isError":           place == "failure",
		})
	}
}

// What a server quotes of the token that it was sent reaches neither of the
// command's outputs, whatever the answer and the spelling.
func TestQuotedTokenIsNotPrinted(t *testing.T) {
	q := &quoting{}
	_, server := peersBehind(t, q.before, nil, nil)
	c := newCLI(t)
	c.ok("login", server)
	token := strings.TrimSpace(c.ok("token", server).out)
	if len(token) < 16 {
		t.Fatalf("the token: %q", token)
	}
	for _, place := range []string{"redirect", "redirect, here", "Retry-After", "media type", "error", "error, 400", "image", "failure", "text"} {
		for spelling, spelt := range quoteSpellings {
			q.place.Store(&place)
			q.spelling.Store(&spelling)
			for _, command := range [][]string{{"tools", server}, {"call", server, "echo"}, {"tools", server, "--json"}, {"call", server, "echo", "--json"}, {"call", server, "echo", "--verbose"}} {
				r := c.run(command...)
				name := strings.Join(command[:1], "") + " with the token in " + place + ", " + spelling
				for _, s := range []string{token, spelt(token), strings.ToLower(token), url.QueryEscape(spelt(token)), strings.TrimRight(spelt(token), "=")} {
					if shown := strings.ToLower(r.out + r.err); strings.Contains(shown, strings.ToLower(s)) {
						t.Errorf("%s: %s", name, r.out+r.err)
						break
					}
				}
				if command[0] != "call" {
					continue
				}
				switch place {
				case "text", "failure":
					contains(t, r.out, "secret(")
					if command[len(command)-1] == "--json" {
						contains(t, r.out, "1234567", "last line")
					} else {
						contains(t, r.out, "first line", "last line")
					}
				case "error", "error, 400":
					contains(t, r.err, "secret(")
				}
			}
		}
	}
}
