package main

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// Each signal that ends a program ends a bridge whose host waits for a login, and another
// instance leads at once.
func TestBridgeEndsOnSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such signals")
	}
	_, server := peers(t, nil, nil)
	env := home(t)
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			p := startProcess(t, env, server, "--no-browser")
			p.send(t, helloLine)
			p.answer(t, 1)
			p.send(t, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
			eventually(t, "it leads and tells the address", func() bool { return strings.Contains(p.err.String(), "To log in at") })
			if err := p.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			_ = p.cmd.Wait()
			if code := p.cmd.ProcessState.ExitCode(); code != exitFailed {
				t.Errorf("exit status %d: %s", code, p.err)
			}
		})
	}
}

// After a long sleep the access token has expired: of all instances one refreshes it, and
// none opens a browser.
func TestBridgeWakesUp(t *testing.T) {
	var refreshes atomic.Int32
	issuer, server := peersBehind(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" && strings.Contains(bodyOf(r), "grant_type=refresh_token") {
				refreshes.Add(1)
			}
			h.ServeHTTP(w, r)
		})
	}, nil, nil)
	first := newCLI(t)
	first.ok("login", server)
	dir := t.TempDir()
	writeMCPRemote(t, dir, server, stored(t, first, server)) // two hours ago, for one
	c := newCLI(t)
	c.env["MCP_REMOTE_CONFIG_DIR"] = dir
	c.ok("store", "import", server, "--issuer", issuer)
	var opened atomic.Int32
	c.browse = func(context.Context, string) error { opened.Add(1); return nil }
	results := make(chan error, 4)
	for range cap(results) {
		b := startBridge(t, c, nil, server)
		go func() { _, err := b.ListTools(t.Context(), nil); results <- err }()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if opened.Load() != 0 || refreshes.Load() != 1 {
		t.Errorf("%d browsers, %d refreshes", opened.Load(), refreshes.Load())
	}
}

// A login that fails leaves a trace, which names the rule that was broken and holds no
// secret.
func TestBridgeLeavesATrace(t *testing.T) {
	_, server := peers(t, func(c *devas.ASConfig) { c.Faults = []string{"token-307"} }, nil)
	c := newCLI(t)
	c.env["XDG_STATE_HOME"] = t.TempDir()
	var visited string
	c.browse = func(ctx context.Context, url string) error { visited = url; return followAll(ctx, url) }
	b := startBridge(t, c, nil, server, "--auth-timeout", "2")
	if _, err := b.ListTools(t.Context(), nil); err == nil {
		t.Fatal("it logged in")
	}
	var traces []string
	_ = filepath.WalkDir(c.env["XDG_STATE_HOME"], func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, ".traces"+string(filepath.Separator)) {
			traces = append(traces, path)
		}
		return nil
	})
	if len(traces) == 0 {
		t.Fatalf("no trace: %s", b.err)
	}
	explained := ""
	for _, f := range traces {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if state := strings.Split(strings.SplitAfter(visited, "state=")[1], "&")[0]; strings.Contains(string(text), state) {
			t.Errorf("%s holds the state of the login", f)
		}
		explained += c.ok("explain", f).out
	}
	contains(t, explained, "token-req-no-redirect")
}
