package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// serve runs an MCP server with one tool and counts the calls of it.
func serve(t *testing.T, tools ...string) (url string, calls *int) {
	t.Helper()
	calls = new(int)
	server := mcp.NewServer(&mcp.Implementation{Name: "peer", Version: "1"}, &mcp.ServerOptions{Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}}})
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

// protected is an authorization server and a protected MCP server in one, like those of
// the suite: the authorization endpoint redirects at once.
func protected(t *testing.T, iss string) string {
	t.Helper()
	url, _ := serve(t, "tool")
	upstream, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			if err := json.NewEncoder(w).Encode(v); err != nil {
				t.Error(err)
			}
		}
	}
	mux.HandleFunc("/.well-known/oauth-protected-resource/mcp", answer(map[string]any{
		"resource": s.URL + "/mcp", "authorization_servers": []string{s.URL},
	}))
	mux.HandleFunc("/.well-known/oauth-authorization-server", answer(map[string]any{
		"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token",
		"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
	}))
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		q := neturl.Values{"code": {"c"}, "state": {r.FormValue("state")}, "iss": {iss}}
		if iss == "" {
			q.Set("iss", s.URL)
		}
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+q.Encode(), http.StatusFound)
	})
	token := answer(map[string]any{"access_token": "t0ken", "token_type": "Bearer", "expires_in": 60})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if id, secret, _ := r.BasicAuth(); id != "i" || secret != "s" {
			t.Errorf("client %q with secret %q at the token endpoint", id, secret)
		}
		token(w, r)
	})
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken" {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		r.URL.Path = "/"
		proxy.ServeHTTP(w, r)
	})
	return s.URL
}

func TestLogsInWithAClientRegisteredBeforehand(t *testing.T) {
	for _, tc := range []struct {
		name, iss, issuer, fails string
	}{
		{name: "whose issuer is not said"},
		{name: "whose issuer is said", issuer: "own"},
		{name: "of another issuer", issuer: "https://other.example", fails: "issuer-prereg-mismatch"},
		{name: "and refuses a mix-up", iss: "https://evil.example", fails: "issuer-response-compare"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base := protected(t, tc.iss)
			if tc.issuer == "own" {
				tc.issuer = base
			}
			said, err := json.Marshal(settings{ClientID: "i", ClientSecret: "s", Issuer: tc.issuer})
			if err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			err = run(t.Context(), []string{base + "/mcp"}, func(k string) string {
				return map[string]string{"MCP_CONFORMANCE_CONTEXT": string(said)}[k]
			}, &log)
			if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("got error %v, want %q\n%s", err, tc.fails, log.String())
			}
			for _, secret := range []string{"t0ken", `"s"`} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("the log shows %s:\n%s", secret, log.String())
				}
			}
		})
	}
}
