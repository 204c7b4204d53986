package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver/bridge"
)

const (
	older = "2025-11-25"
	newer = "2026-07-28"
)

// server is an MCP server of the SDK with a tool for each way that a tool can behave.
type server struct {
	*mcp.Server
	calls atomic.Int32
	stop  chan struct{} // ends the slow tool of a server that does not hear of cancellations
}

func newServer() *server {
	s := &server{stop: make(chan struct{}), Server: mcp.NewServer(&mcp.Implementation{Name: "remote", Version: "7"}, &mcp.ServerOptions{
		Instructions:       "be kind",
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	})}
	type text struct {
		Text string `json:"text"`
	}
	say := func(t string) *mcp.CallToolResult {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: t}}}
	}
	mcp.AddTool(s.Server, &mcp.Tool{Name: "echo"}, func(_ context.Context, _ *mcp.CallToolRequest, in text) (*mcp.CallToolResult, any, error) {
		s.calls.Add(1)
		return say(in.Text), nil, nil
	})
	mcp.AddTool(s.Server, &mcp.Tool{Name: "delete_all"}, func(context.Context, *mcp.CallToolRequest, text) (*mcp.CallToolResult, any, error) {
		s.calls.Add(1)
		return say("gone"), nil, nil
	})
	mcp.AddTool(s.Server, &mcp.Tool{Name: "slow"}, func(ctx context.Context, r *mcp.CallToolRequest, _ text) (*mcp.CallToolResult, any, error) {
		_ = r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: r.Params.GetProgressToken(), Message: "begun"})
		select {
		case <-ctx.Done():
			s.calls.Add(1)
		case <-s.stop:
		}
		return nil, nil, ctx.Err()
	})
	// The tool asks its user, in the way of either era.
	s.AddTool(&mcp.Tool{Name: "ask", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		question := &mcp.ElicitParams{Mode: "form", Message: "your name?", RequestedSchema: json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"}}}`)}
		if a, ok := r.Params.InputResponses["q"].(*mcp.ElicitResult); ok {
			return say(fmt.Sprint(a.Action, " ", a.Content["name"], " ", r.Params.RequestState)), nil
		}
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": question}, RequestState: "s/1"}, nil
	})
	s.AddResource(&mcp.Resource{URI: "test://a", Name: "a"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "test://a", Text: "A"}}}, nil
	})
	return s
}

// serve serves it over HTTP: with sessions, or in the new era.
func (s *server) serve(t *testing.T, era string, before func(http.Handler) http.Handler) string {
	t.Helper()
	var h http.Handler = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s.Server }, &mcp.StreamableHTTPOptions{Stateless: era == newer})
	if era == "sse" {
		h = mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return s.Server }, nil)
	}
	if before != nil {
		h = before(h)
	}
	hs := httptest.NewServer(h)
	t.Cleanup(func() { close(s.stop); hs.CloseClientConnections(); hs.Close() })
	return hs.URL
}

// pipe gives both ends of a pair of pipes, as stdio is.
func pipe() (host, bridgeEnd *mcp.IOTransport) {
	r1, w1 := io.Pipe()
	r2, w2 := io.Pipe()
	return &mcp.IOTransport{Reader: r1, Writer: w2}, &mcp.IOTransport{Reader: r2, Writer: w1}
}

// host starts a bridge and connects a client of the SDK to it.
func host(t *testing.T, era string, o bridge.Options, co *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	near, far := pipe()
	o.Host = far
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- bridge.Run(ctx, o) }()
	s, err := mcp.NewClient(&mcp.Implementation{Name: "host", Version: "3"}, co).Connect(ctx, near, &mcp.ClientSessionOptions{ProtocolVersion: era})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the bridge ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the bridge did not end with its host")
		}
		cancel()
	})
	return s
}

func call(t *testing.T, s *mcp.ClientSession, tool string, args any) string {
	t.Helper()
	r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Content) != 1 {
		t.Fatalf("%s: %+v", tool, r)
	}
	return r.Content[0].(*mcp.TextContent).Text
}

// eras runs a test for each pair of a host and a server.
func eras(t *testing.T, f func(t *testing.T, host, server string)) {
	for _, h := range []string{older, newer} {
		for _, s := range []string{older, newer, "sse"} {
			t.Run("host "+h+" server "+s, func(t *testing.T) {
				t.Parallel()
				f(t, h, s)
			})
		}
	}
}

// A host of either era uses a server of either.
func TestEras(t *testing.T) {
	eras(t, func(t *testing.T, h, s string) {
		srv := newServer()
		session := host(t, h, bridge.Options{Server: srv.serve(t, s, nil), Ignore: []string{"delete*"}}, nil)
		tools, err := session.ListTools(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, tool := range tools.Tools {
			names = append(names, tool.Name)
		}
		slices.Sort(names)
		if !slices.Equal(names, []string{"ask", "echo", "slow"}) {
			t.Errorf("tools %v", names)
		}
		if got := call(t, session, "echo", map[string]string{"text": "<é>&"}); got != "<é>&" {
			t.Errorf("echo said %q", got)
		}
		before := srv.calls.Load()
		if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "delete_all"}); err == nil || srv.calls.Load() != before {
			t.Errorf("a hidden tool was called: %v", err)
		}
		r, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "test://a"})
		if err != nil || r.Contents[0].Text != "A" {
			t.Errorf("resource: %+v %v", r, err)
		}
		// The server has no prompts.
		if p, err := session.ListPrompts(t.Context(), nil); err != nil || len(p.Prompts) != 0 {
			t.Errorf("prompts: %+v %v", p, err)
		}
		var said *jsonrpc.Error
		if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "no such tool"}); !errors.As(err, &said) {
			t.Errorf("the server's error became %v", err)
		}
	})
}

// A question of the server reaches the user of the host, and the answer reaches the server.
func TestQuestions(t *testing.T) {
	eras(t, func(t *testing.T, h, s string) {
		var asked atomic.Int32
		session := host(t, h, bridge.Options{Server: newServer().serve(t, s, nil)}, &mcp.ClientOptions{
			ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
				asked.Add(1)
				if r.Params.Message != "your name?" {
					t.Errorf("the question became %q", r.Params.Message)
				}
				return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Ada"}}, nil
			},
		})
		if got := call(t, session, "ask", map[string]any{}); got != "accept Ada s/1" {
			t.Errorf("the server got %q", got)
		}
		if asked.Load() != 1 {
			t.Errorf("the user was asked %d times", asked.Load())
		}
	})
}

// What changes at the server reaches the host, and so does the progress of a call.
// Cancelling the call ends it at the server.
func TestNotifications(t *testing.T) {
	eras(t, func(t *testing.T, h, s string) {
		srv := newServer()
		// In the new era the end of the response is the cancellation. The SDK's server
		// does not pass it on to the tool, so it is looked for below the server.
		ended := func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Mcp-Name") == "slow" {
					context.AfterFunc(r.Context(), func() { srv.calls.Add(1) })
				}
				h.ServeHTTP(w, r)
			})
		}
		changed, progress := make(chan struct{}, 10), make(chan struct{}, 10)
		session := host(t, h, bridge.Options{Server: srv.serve(t, s, ended)}, &mcp.ClientOptions{
			ToolListChangedHandler:      func(context.Context, *mcp.ToolListChangedRequest) { changed <- struct{}{} },
			ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) { progress <- struct{}{} },
		})
		call(t, session, "echo", map[string]string{"text": "x"})
		until(t, "the list of tools changed", func() bool {
			srv.RemoveTools("delete_all") // again and again: the stream is opened beside the session
			mcp.AddTool(srv.Server, &mcp.Tool{Name: "delete_all"}, func(context.Context, *mcp.CallToolRequest, any) (*mcp.CallToolResult, any, error) {
				return nil, nil, nil
			})
			select {
			case <-changed:
				return true
			case <-time.After(50 * time.Millisecond):
				return false
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		p := &mcp.CallToolParams{Name: "slow", Arguments: map[string]string{"text": ""}}
		p.SetProgressToken("p1")
		done := make(chan struct{})
		go func() { defer close(done); _, _ = session.CallTool(ctx, p) }()
		<-progress
		before := srv.calls.Load()
		cancel()
		<-done
		until(t, "the call was cancelled at the server", func() bool { return srv.calls.Load() > before })
	})
}

// A server that forgets its sessions, and one that is restarted, are connected anew.
func TestForgottenSession(t *testing.T) {
	var mu sync.Mutex
	var h http.Handler
	fresh := func() {
		srv := newServer()
		mu.Lock()
		defer mu.Unlock()
		h = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return srv.Server }, nil)
	}
	fresh()
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now := h
		mu.Unlock()
		now.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { hs.CloseClientConnections(); hs.Close() })
	session := host(t, older, bridge.Options{Server: hs.URL}, nil)
	for range 3 {
		if got := call(t, session, "echo", map[string]string{"text": "x"}); got != "x" {
			t.Errorf("echo said %q", got)
		}
		fresh()
	}
	// A request that only reads is sent again after its connection was cut.
	for range 3 {
		hs.CloseClientConnections()
		if tools, err := session.ListTools(t.Context(), nil); err != nil || len(tools.Tools) == 0 {
			t.Errorf("tools: %v", err)
		}
	}
}

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never happened that " + what)
		}
	}
}
