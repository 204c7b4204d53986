package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The keyring of a child process is its own, in memory: children share a store whose
// key is in a file.
func home(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 43)), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"HOME=" + dir, "XDG_STATE_HOME=" + dir, "STILE_STORE=file:" + filepath.Join(dir, "store"), "STILE_PASSPHRASE=a passphrase of the test", "STILE_TRACE=" + filepath.Join(dir, "traces") + "/"}
}

// bridged is a bridge in this process, with an SDK client as its host.
type bridged struct {
	*mcp.ClientSession
	err   *lockedBuffer
	ended chan int
}

func startBridge(t *testing.T, c *cli, co *mcp.ClientOptions, args ...string) *bridged {
	t.Helper()
	if c.env["XDG_STATE_HOME"] == "" {
		c.env["XDG_STATE_HOME"] = t.TempDir()
	}
	in, toBridge := io.Pipe()
	fromBridge, out := io.Pipe()
	b := &bridged{err: &lockedBuffer{}, ended: make(chan int, 1)}
	app := c.app(out, b.err)
	app.in = in
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { b.ended <- run(ctx, append([]string{"bridge"}, args...), app); _ = out.Close() }()
	s, err := mcp.NewClient(&mcp.Implementation{Name: "host", Version: "1"}, co).
		Connect(ctx, &mcp.IOTransport{Reader: fromBridge, Writer: toBridge}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		cancel()
		t.Fatalf("%v: %s", err, b.err)
	}
	b.ClientSession = s
	t.Cleanup(func() {
		_ = s.Close()
		if code := <-b.ended; code != exitOK {
			t.Errorf("exit status %d: %s", code, b.err)
		}
		cancel()
	})
	return b
}

func (b *bridged) call(t *testing.T, tool string, args any) (string, error) {
	t.Helper()
	r, err := b.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return "", err
	}
	return r.Content[0].(*mcp.TextContent).Text, nil
}

// The first request of a host without a login opens the browser once, waits, and is
// answered; a call that needs more scope waits for another login and is sent again.
func TestBridgeLogsIn(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	var opened atomic.Int32
	c.browse = func(ctx context.Context, url string) error { opened.Add(1); return followAll(ctx, url) }
	b := startBridge(t, c, nil, server)
	tools, err := b.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) == 0 {
		t.Fatalf("%v: %s", err, b.err)
	}
	if opened.Load() != 1 {
		t.Errorf("the browser was opened %d times: %s", opened.Load(), b.err)
	}
	if _, err := b.call(t, "add_note", map[string]string{"text": "x"}); err != nil {
		t.Errorf("step-up: %v: %s", err, b.err)
	}
	if opened.Load() != 2 {
		t.Errorf("the browser was opened %d times: %s", opened.Load(), b.err)
	}
	// Another instance needs no login.
	again := startBridge(t, c, nil, server)
	if _, err := again.ListTools(t.Context(), nil); err != nil || opened.Load() != 2 {
		t.Errorf("%v, browser %d: %s", err, opened.Load(), again.err)
	}
	v := decode[statusView](t, c.ok("bridge", "status", server, "--json").out)
	if !v.LoggedIn {
		t.Errorf("%+v", v)
	}
	c.ok("bridge", "logout", server)
	c.exit(exitLogin, "status", server)
}

// Where nobody logs in, initialize is answered nevertheless, and a request fails with
// the address; after the login the host is told to look again.
func TestBridgeTellsTheAddress(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	changed := make(chan struct{}, 10)
	b := startBridge(t, c, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { changed <- struct{}{} },
	}, server, "--no-browser", "--auth-timeout", "0")
	_, err := b.ListTools(t.Context(), nil)
	var said *jsonrpc.Error
	if !errors.As(err, &said) || said.Code != -32042 {
		t.Fatalf("%v: %s", err, b.err)
	}
	var data struct {
		URL     string    `json:"authorization_url"`
		Expires time.Time `json:"expires"`
		Asked   []struct {
			Mode, URL, Message string
			ID                 string `json:"elicitationId"`
		} `json:"elicitations"`
	}
	if err := json.Unmarshal(said.Data, &data); err != nil || !strings.Contains(data.URL, "state=") || time.Until(data.Expires) < time.Minute {
		t.Fatalf("%v in %s", err, said.Data)
	}
	if len(data.Asked) != 1 || data.Asked[0].Mode != "url" || data.Asked[0].URL != data.URL || data.Asked[0].Message == "" || data.Asked[0].ID == "" {
		t.Errorf("elicitations: %s", said.Data)
	}
	eventually(t, "the address is printed", func() bool { return strings.Contains(b.err.String(), data.URL) })
	if err := followAll(t.Context(), data.URL); err != nil {
		t.Fatal(err)
	}
	<-changed
	if tools, err := b.ListTools(t.Context(), nil); err != nil || len(tools.Tools) == 0 {
		t.Errorf("%v: %s", err, b.err)
	}
}

// A host that shows addresses to its user is asked to; no browser is opened.
func TestBridgeElicits(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.browse = func(context.Context, string) error { t.Error("a browser was opened"); return nil }
	completed := make(chan string, 1)
	asked := make(chan string, 1)
	b := startBridge(t, c, &mcp.ClientOptions{
		Capabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{URL: &mcp.URLElicitationCapabilities{}}},
		ElicitationHandler: func(ctx context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			asked <- r.Params.ElicitationID
			return &mcp.ElicitResult{Action: "accept"}, followAll(ctx, r.Params.URL)
		},
		ElicitationCompleteHandler: func(_ context.Context, r *mcp.ElicitationCompleteNotificationRequest) {
			completed <- r.Params.ElicitationID
		},
	}, server)
	if _, err := b.ListTools(t.Context(), nil); err != nil {
		t.Fatalf("%v: %s", err, b.err)
	}
	if a, c := <-asked, <-completed; a != c || a == "" {
		t.Errorf("asked %q, completed %q", a, c)
	}
}

// process is a bridge in a process of its own, with this test as its host.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
	err *lockedBuffer
}

func startProcess(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	c := command(t, append([]string{"bridge"}, args...)...)
	c.Env = append(c.Env, env...)
	p := &process{cmd: c, err: &lockedBuffer{}}
	c.Stderr = p.err
	var err error
	if p.in, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = json.NewDecoder(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) send(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// answer reads messages up to the response with an id.
func (p *process) answer(t *testing.T, id int) map[string]json.RawMessage {
	t.Helper()
	for {
		var m map[string]json.RawMessage
		if err := p.out.Decode(&m); err != nil {
			t.Fatalf("%v: %s", err, p.err)
		}
		var got int
		if m["method"] == nil && json.Unmarshal(m["id"], &got) == nil && got == id {
			return m
		}
	}
}

const helloLine = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"host","version":"1"}}}`

// A host starts the bridge twice and kills the first one, which has opened the browser.
// The login that the user then finishes in that browser is the other's.
func TestBridgeStartedTwice(t *testing.T) {
	_, server := peers(t, nil, nil)
	env := home(t)
	first := startProcess(t, env, server, "--auth-timeout", "0", "--no-browser")
	first.send(t, helloLine)
	first.answer(t, 1)
	first.send(t, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	failure := first.answer(t, 2)
	second := startProcess(t, env, server, "--auth-timeout", "60", "--no-browser")
	second.send(t, helloLine)
	second.answer(t, 1)
	second.send(t, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	eventually(t, "the second instance waits", func() bool { return strings.Contains(second.err.String(), "Another instance") })
	var e struct {
		Data struct {
			URL string `json:"authorization_url"`
		} `json:"data"`
	}
	if err := json.Unmarshal(failure["error"], &e); err != nil || e.Data.URL == "" {
		t.Fatalf("%v: %s %s", err, failure["error"], first.err)
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.cmd.Wait()
	eventually(t, "the second instance leads", func() bool { return strings.Contains(second.err.String(), "To log in at") })
	// The page that the first one opened comes back to the second.
	if err := followAll(t.Context(), e.Data.URL); err != nil {
		t.Fatal(err)
	}
	if r := second.answer(t, 2); r["error"] != nil {
		t.Errorf("%s: %s", r["error"], second.err)
	}
	_ = second.in.Close()
	if err := second.cmd.Wait(); err != nil {
		t.Errorf("the end of input ended it with %v: %s", err, second.err)
	}
}

// A bridge that is started again and again opens one browser.
func TestBridgeBrake(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.env["XDG_STATE_HOME"] = t.TempDir()
	var opened atomic.Int32
	c.browse = func(context.Context, string) error { opened.Add(1); return nil }
	for range 4 {
		t.Run("", func(t *testing.T) {
			b := startBridge(t, c, nil, server, "--auth-timeout", "0")
			if _, err := b.ListTools(t.Context(), nil); err == nil {
				t.Error("nobody has logged in")
			}
		})
	}
	if opened.Load() != 1 {
		t.Errorf("the browser was opened %d times", opened.Load())
	}
}

// Several instances whose token the server refuses refresh it once.
func TestBridgeRefreshesOnce(t *testing.T) {
	var refreshes atomic.Int32
	var refused atomic.Pointer[string]
	var token atomic.Pointer[string]
	_, server := peersBehind(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/mcp" {
				sent := r.Header.Get("Authorization")
				if no := refused.Load(); no != nil && *no == sent {
					w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				token.Store(&sent)
			}
			if body, err := io.ReadAll(r.Body); err == nil {
				if strings.Contains(string(body), "grant_type=refresh_token") {
					refreshes.Add(1)
				}
				r.Body = io.NopCloser(strings.NewReader(string(body)))
			}
			h.ServeHTTP(w, r)
		})
	}, nil, nil)
	c := newCLI(t)
	var sessions []*bridged
	for range 4 {
		s := startBridge(t, c, nil, server)
		if _, err := s.ListTools(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	refused.Store(token.Load())
	results := make(chan error, len(sessions))
	for _, s := range sessions {
		go func() { _, err := s.ListTools(t.Context(), nil); results <- err }()
	}
	for range sessions {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := refreshes.Load(); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}

// eventually waits for a condition that others bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never happened that " + what)
		}
	}
}

// The time from the start of a process to its first answer. STILE_BENCH_BRIDGE names
// another bridge, a command without the URL: the two take turns, so that both meet the
// same load.
func BenchmarkBridgeFirstAnswer(b *testing.B) {
	server := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server {
		return mcp.NewServer(&mcp.Implementation{Name: "open", Version: "1"}, nil)
	}, nil))
	defer func() { server.CloseClientConnections(); server.Close() }()
	dir := b.TempDir()
	first := func(args ...string) time.Duration {
		c := exec.CommandContext(b.Context(), args[0], append(args[1:], server.URL)...) //nolint:gosec // what the user names
		c.Env = append(os.Environ(), "STILE_TEST_COMMAND=1", "HOME="+dir, "XDG_STATE_HOME="+dir)
		in, err := c.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		begun := time.Now()
		if err := c.Start(); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
		if _, err := io.WriteString(in, helloLine+"\n"); err != nil {
			b.Fatal(err)
		}
		var m struct{ ID int }
		if err := json.NewDecoder(out).Decode(&m); err != nil || m.ID != 1 {
			b.Fatalf("%v: %+v", err, m)
		}
		return time.Since(begun)
	}
	other := strings.Fields(os.Getenv("STILE_BENCH_BRIDGE"))
	var ours, theirs []time.Duration
	for b.Loop() {
		ours = append(ours, first(os.Args[0], "bridge"))
		if len(other) > 0 {
			theirs = append(theirs, first(other...))
		}
	}
	for name, all := range map[string][]time.Duration{"stile": ours, "other": theirs} {
		if slices.Sort(all); len(all) > 0 {
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, name+"-median-ms")
			b.ReportMetric(float64(all[len(all)-1].Microseconds())/1000, name+"-longest-ms")
		}
	}
	b.ReportMetric(0, "ns/op") // of both together, which says nothing
}
