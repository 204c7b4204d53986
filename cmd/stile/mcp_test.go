package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// answering serves every request at /mcp by f; the rest is 404.
func answering(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/mcp", drained(f))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + "/mcp"
}

// Whatever a server answers in place of MCP is reported in the form of all other
// errors: what happened, whose fault it is, what to do, and exit status 4 or 5.
func TestAnswersThatAreNotMCP(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", code) }
	}
	body := func(media, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			_, _ = io.WriteString(w, text)
		}
	}
	const page = "<!doctype html><title>Welcome</title>"
	for _, x := range []struct {
		name  string
		f     http.HandlerFunc
		code  int
		says  []string
		login []string // what login says, where that differs
	}{
		{"400", status(400), exitPeer, []string{"refused the request (HTTP status 400 Bad Request)", "check the address"}, []string{"asks for a login", "400 Bad Request"}},
		{"403", status(403), exitPeer, []string{"denies access (HTTP status 403 Forbidden)", "ask the operator"}, []string{"asks for a login", "403 Forbidden"}},
		{"404", status(404), exitPeer, []string{"there is no MCP server at ", "404 Not Found", "check the address"}, []string{"there is no MCP server at", "404 Not Found"}},
		{"501", status(501), exitPeer, []string{"does not take MCP messages (HTTP status 501 Not Implemented for POST)", "check the address"}, []string{"there is no MCP server at", "501"}},
		{"405", status(405), exitPeer, []string{"does not take MCP messages (HTTP status 405 Method Not Allowed for POST)", "check the address"}, []string{"there is no MCP server at", "405"}},
		{"a JSON-RPC error with 400", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"the moon is full"}}`)
		}, exitPeer, []string{"HTTP status 400", "the server said: the moon is full"}, []string{"asks for a login", "400"}},
		{"a web page", body("text/html; charset=utf-8", page), exitPeer, []string{"answered with a web page", "check the address"}, []string{"there is no MCP server at", "answered with a web page"}},
		{"JSON of another kind", body("application/json", `{"hello":"world"}`), exitPeer, []string{"did not answer as an MCP server does", "check the address"}, []string{"there is no MCP server at", "did not answer as an MCP server"}},
		{"500", status(500), exitNetwork, []string{"is in trouble (HTTP status 500 Internal Server Error)", "try again later"}, nil},
		{"503", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, exitNetwork, []string{"503 Service Unavailable", "Retry-After 120"}, nil},
		{"429", status(429), exitNetwork, []string{"429 Too Many Requests", "try again later"}, nil},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			server := answering(t, x.f)
			for _, command := range [][]string{{"tools", server}, {"call", server, "x"}, {"login", server}} {
				r := newCLI(t).exit(x.code, command...)
				says := x.says
				if command[0] == "login" && x.login != nil {
					says = append([]string{server}, x.login...)
				}
				contains(t, r.err, append([]string{"error: ", "fault of     the server", "what to do"}, says...)...)
				if strings.Contains(r.err, "rejected by transport") {
					t.Errorf("no server said this: %s", r.err)
				}
				for _, sdk := range []string{"calling \"", "sending \"", "connection closed", "broken session"} {
					if strings.Contains(r.err, sdk) && !strings.Contains(r.err, "first cause") {
						t.Errorf("the text of the SDK: %s", r.err)
					}
				}
				lines := strings.Split(strings.TrimSpace(newCLI(t).exit(x.code, append(command, "--json")...).err), "\n")
				v := decode[struct{ Error errorView }](t, lines[len(lines)-1])
				if v.Error.Party == "" || v.Error.Advice == "" || v.Error.Message == "" {
					t.Errorf("%+v", v.Error)
				}
			}
		})
	}
}

// A server that asks for a login and publishes nothing about it is not called
// unprotected.
func TestChallengeWithoutMetadata(t *testing.T) {
	server := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mcp" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
	})
	for _, command := range []string{"tools", "login"} {
		contains(t, newCLI(t).exit(exitPeer, command, server).err, server+" asks for a login, and no metadata names who gives it", "fault of     the server", "--issuer ISSUER")
	}
}

// A server that fails in the middle of a session: the call says so, and an answer
// that is an error of JSON-RPC is not the server's fault.
func TestAnswersToCalls(t *testing.T) {
	for _, x := range []struct {
		name string
		f    http.HandlerFunc
		code int
		says []string
	}{
		{"404", func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }, exitPeer, []string{"404 Not Found", "fault of     the server", "what to do"}},
		{"502", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, exitNetwork, []string{"in trouble (HTTP status 502 Bad Gateway)", "try again later"}},
		{"403", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, exitPeer, []string{"denies access", "ask the operator"}},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, exitNetwork, []string{"no answer from", "the network"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			_, server := peers(t, nil, func(c *devas.RSConfig) {
				next := c.MCP
				c.MCP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					b, _ := io.ReadAll(r.Body)
					if strings.Contains(string(b), "tools/") {
						x.f(w, r)
						return
					}
					r.Body = io.NopCloser(strings.NewReader(string(b)))
					next.ServeHTTP(w, r)
				})
			})
			c := newCLI(t)
			contains(t, c.exit(x.code, "call", server, "get_time").err, x.says...)
			contains(t, c.exit(x.code, "tools", server).err, x.says...)
		})
	}
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	contains(t, c.exit(exitUsage, "call", server, "no_such_tool").err, `there is no tool "no_such_tool" at `+server, "stile tools "+server, "#tool-arguments")
	contains(t, c.exit(exitUsage, "call", server, "get_tim").err, "did you mean get_time?")
	// A tool that is there, whose call the server does not take.
	_, server = peers(t, nil, func(c *devas.RSConfig) {
		next := c.MCP
		c.MCP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(b)))
			if id := regexp.MustCompile(`"id":("?[^,"}]*"?)`).FindSubmatch(b); strings.Contains(string(b), "tools/call") && id != nil {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":`+string(id[1])+`,"error":{"code":-32602,"message":"the zone is missing"}}`)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	contains(t, newCLI(t).exit(exitFailed, "call", server, "get_time").err, "calling get_time: the server answered: the zone is missing", "stile tools "+server)
}

// The address of an issuer is no MCP server, although its metadata leads to a login.
func TestLoginAtAnIssuer(t *testing.T) {
	issuer, server := peers(t, nil, nil)
	c := newCLI(t)
	contains(t, c.ok("login", issuer).err, "You are logged in, but the MCP server did not work: there is no MCP server at "+issuer)
	if r := c.ok("login", server); strings.Contains(r.err, "did not work") {
		t.Errorf("a server that works: %s", r.err)
	}
}

// A server that speaks only HTTP+SSE of 2024-11-05 is served, with a login that
// its stream asks for and without one.
func TestServerOfSSE(t *testing.T) {
	notebook := func() http.Handler {
		s := mcp.NewServer(&mcp.Implementation{Name: "old", Version: "1"}, nil)
		mcp.AddTool(s, &mcp.Tool{Name: "get_time", Description: "The time."}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, timeOutput, error) {
			return nil, timeOutput{Time: "now"}, nil
		})
		return mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return s }, nil)
	}
	refusing := func(next http.Handler, status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && r.URL.RawQuery == "" {
				w.WriteHeader(status)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	for _, status := range []int{http.StatusNotFound, http.StatusMethodNotAllowed} {
		open := httptest.NewServer(refusing(notebook(), status))
		defer open.Close()
		defer open.CloseClientConnections()
		c := newCLI(t)
		contains(t, c.ok("tools", open.URL).out, "get_time")
		contains(t, c.ok("login", open.URL).out, "No login is needed")

		_, server := peers(t, nil, func(c *devas.RSConfig) { c.MCP = refusing(notebook(), status) })
		contains(t, c.ok("tools", server).out, "get_time")
		contains(t, c.ok("call", server, "get_time").out, "time")
		contains(t, c.ok("login", server).out, "Logged in to")
	}

	// Most of them take messages beside their stream, outside the resource.
	beside := func(messages string) string {
		old := mcp.NewServer(&mcp.Implementation{Name: "old", Version: "1"}, nil)
		mcp.AddTool(old, &mcp.Tool{Name: "get_time"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, timeOutput, error) {
			return nil, timeOutput{Time: "now"}, nil
		})
		var session atomic.Pointer[mcp.SSEServerTransport]
		_, server := peersBehind(t, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/messages" && session.Load() != nil {
					if r.Header.Get("Authorization") == "" {
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					session.Load().ServeHTTP(w, r)
					return
				}
				next.ServeHTTP(w, r)
			})
		}, nil, func(c *devas.RSConfig) {
			c.MCP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					w.WriteHeader(http.StatusMethodNotAllowed)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				tr := &mcp.SSEServerTransport{Endpoint: messages, Response: w}
				s, err := old.Connect(r.Context(), tr, nil)
				if err != nil {
					return
				}
				defer func() { _ = s.Close() }()
				session.Store(tr)
				<-r.Context().Done()
			})
		})
		return server
	}
	server := beside("/messages?session=1")
	contains(t, newCLI(t).ok("call", server, "get_time").out, "now")

	// No token may go to another origin: that is the server's fault, and reported so.
	server = beside("http://localhost:1/messages")
	r := newCLI(t).exit(exitPeer, "tools", server)
	contains(t, r.err, "speaks HTTP+SSE", "another origin", "bearer-bound-resource", "what to do", "fault of     the server")
}

// Every request of a command has the same User-Agent, no matter which package makes it.
func TestUserAgent(t *testing.T) {
	var mu sync.Mutex
	seen := map[string][]string{}
	look := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			seen[r.UserAgent()] = append(seen[r.UserAgent()], r.Method+" "+r.URL.Path)
			mu.Unlock()
			next.ServeHTTP(w, r)
		})
	}
	_, server := peersBehind(t, look, nil, nil)
	c := newCLI(t)
	c.ok("call", server, "get_time")
	c.ok("logout", server)
	mu.Lock()
	defer mu.Unlock()
	delete(seen, "Go-http-client/1.1") // the browser of the test
	if n := len(seen); n != 1 || len(seen["stile/devel"]) < 8 {
		t.Errorf("%v", seen)
	}
}

// A wrong scheme, a port where nothing listens, a host that does not exist: each
// says the likely mistake.
func TestLikelyMistakes(t *testing.T) {
	_, plain := peers(t, nil, nil)
	host := strings.TrimSuffix(strings.TrimPrefix(plain, "http://"), "/mcp")
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	for _, x := range []struct {
		address string
		code    int
		says    []string
	}{
		{host + "/mcp", exitUsage, []string{"has no scheme", "did you mean http://" + host + "/mcp?"}},
		{"localhost:1/mcp", exitUsage, []string{"did you mean http://localhost:1/mcp?"}},
		{"mcp.example/mcp", exitUsage, []string{"did you mean https://mcp.example/mcp?"}},
		{"http://mcp.example/mcp?a=1", exitUsage, []string{"tokens do not go over http", "url-https", "did you mean https://mcp.example/mcp?a=1?"}},
		{"https://" + host + "/mcp", exitUsage, []string{"is https, but the server there speaks http", "did you mean http://" + host + "/mcp?"}},
		{"http" + strings.TrimPrefix(tls.URL, "https") + "/mcp", exitUsage, []string{"the server there speaks https", "did you mean " + tls.URL + "/mcp?"}},
		{"http://127.0.0.1:1/mcp", exitNetwork, []string{"nothing listens at 127.0.0.1:1: connection refused", "start the server"}},
		{"https://localhost:1/mcp", exitNetwork, []string{"nothing listens at localhost:1: connection refused", "start the server"}},
		{tls.URL + "/mcp", exitNetwork, []string{"certificate", "--ca-bundle"}},
	} {
		t.Run(x.address, func(t *testing.T) {
			for _, command := range [][]string{{"login", x.address}, {"tools", x.address}, {"call", x.address, "x"}} {
				contains(t, newCLI(t).exit(x.code, command...).err, x.says...)
			}
		})
	}
}
