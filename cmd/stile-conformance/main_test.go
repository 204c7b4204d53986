package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// serve runs an MCP server with one tool and counts the calls of it.
func serve(t *testing.T, tools ...string) (url string, calls *int) {
	t.Helper()
	calls = new(int)
	server := mcp.NewServer(&mcp.Implementation{Name: "peer", Version: "1"}, &mcp.ServerOptions{HasTools: true})
	for _, name := range tools {
		server.AddTool(&mcp.Tool{Name: name, InputSchema: map[string]any{"type": "object"}},
			func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				*calls++
				return &mcp.CallToolResult{IsError: strings.HasPrefix(name, "broken")}, nil
			})
	}
	s := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))
	t.Cleanup(s.Close)
	return s.URL, calls
}

func TestUsesEveryToolOfTheServer(t *testing.T) {
	for _, tc := range []struct {
		name, protocol, fails string
		tools                 []string
		calls                 int
	}{
		{name: "newest protocol", tools: []string{"a", "b"}, calls: 2},
		{name: "handshake protocol", protocol: "2025-11-25", tools: []string{"a"}, calls: 1},
		{name: "a tool fails", tools: []string{"broken"}, calls: 1, fails: "calling broken"},
		{name: "no tools", fails: "no tools"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url, calls := serve(t, tc.tools...)
			err := useTools(t.Context(), http.DefaultClient, url, tc.protocol)
			if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("got error %v, want %q", err, tc.fails)
			}
			if *calls != tc.calls {
				t.Errorf("%d calls, want %d", *calls, tc.calls)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	for _, tc := range []struct {
		name, context, protocol string
		want                    settings
		fails                   bool
	}{
		{name: "nothing"},
		{name: "protocol", protocol: "2026-07-28", want: settings{Protocol: "2026-07-28"}},
		{
			name:    "client",
			context: `{"name":"any","client_id":"i","client_secret":"s","issuer":"http://localhost:1"}`,
			want:    settings{ClientID: "i", ClientSecret: "s", Issuer: "http://localhost:1"},
		},
		{name: "not JSON", context: "{", fails: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env := map[string]string{"MCP_CONFORMANCE_CONTEXT": tc.context, "MCP_CONFORMANCE_PROTOCOL_VERSION": tc.protocol}
			got, err := readSettings(func(k string) string { return env[k] })
			if (err != nil) != tc.fails {
				t.Fatalf("got error %v", err)
			}
			if err == nil && got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
