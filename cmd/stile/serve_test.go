package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/peer"
)

// serveIt runs a server command until the end of the test and gives what it
// said of itself.
func serveIt(t *testing.T, args ...string) serving {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r, w := io.Pipe()
	var errs lockedBuffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"serve", "--json"}, args...), newCLI(t).app(w, &errs))
		_ = w.Close()
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("serve %v: %v\n%s", args, err, errs.String())
	}
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != exitOK {
			t.Errorf("serve %v: exit status %d\n%s", args, code, errs.String())
		}
	})
	return decode[serving](t, line)
}

// Three terminals, as the README has them.
func TestServe(t *testing.T) {
	as := serveIt(t, "as", "--port", "0", "--scope", "user", "--scope", "profile")
	rs := serveIt(t, "rs", "--port", "0", "--as", as.Address, "--tool-scope", "whoami=profile")
	if !strings.HasPrefix(rs.Address, "http://localhost:") || !strings.HasSuffix(rs.Address, "/mcp") || as.User != "demo_user" || as.Password != "demo_password" {
		t.Errorf("%+v %+v", as, rs)
	}
	c := newCLI(t)
	c.browse = person(t, "allow")
	c.ok("login", rs.Address)
	contains(t, c.ok("call", rs.Address, "get_time", `{"zone":"UTC"}`).out, "UTC")
	recording := filepath.Join(t.TempDir(), "step-up.ndjson")
	contains(t, c.ok("call", rs.Address, "whoami", "--trace", recording).out, "demo_user", "profile")
	if out := c.ok("explain", recording).out; strings.Contains(out, "What is wrong") {
		t.Errorf("a step-up of sound servers is accused: %s", out)
	}
	c.ok("logout", rs.Address)
	c.ok("login", rs.Address)
	contains(t, c.ok("call", rs.Address, "whoami").out, "demo_user", "profile") // asked for once more
	c.ok("logout", rs.Address)
	c.browse = person(t, "deny")
	contains(t, c.exit(exitLogin, "login", rs.Address).err, "access_denied")
}

// A client document of a program on this machine is read, because the server is
// on loopback itself; and the command prints what introspection needs.
func TestServeReadsLoopbackDocuments(t *testing.T) {
	as := serveIt(t, "as", "--port", "0", "--auto-consent", "--no-registration")
	if as.IntrospectionClient == "" || as.IntrospectionSecret == "" {
		t.Errorf("what introspection needs is not said: %+v", as)
	}
	rs := serveIt(t, "rs", "--port", "0", "--as", as.Address, "--introspection-client", as.IntrospectionClient)
	documents := http.NewServeMux()
	s := httptest.NewServer(documents)
	t.Cleanup(s.Close)
	id := s.URL + "/client.json"
	documents.HandleFunc("/client.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"client_id":"` + id + `","client_name":"x","redirect_uris":["http://127.0.0.1/callback"],"grant_types":["authorization_code","refresh_token"]}`))
	})
	c := newCLI(t)
	c.ok("login", rs.Address, "--client-metadata", id)
	contains(t, c.ok("call", rs.Address, "whoami").out, "demo_user", id)
}

func TestServeLegacy(t *testing.T) {
	for _, flags := range [][]string{nil, {"--no-metadata"}} {
		l := serveIt(t, append([]string{"legacy", "--port", "0", "--auto-consent"}, flags...)...)
		c := newCLI(t)
		r := c.ok("login", l.Address)
		contains(t, r.err, "noted:")
		contains(t, c.ok("call", l.Address, "whoami").out, "demo_user")
		c.exit(exitPeer, "login", l.Address, "--revision", "2025-11-25", "--again")
	}
}

// Each fault is listed, and acts where it was asked for.
func TestServeFaults(t *testing.T) {
	list := newCLI(t).ok("serve", "faults").out
	for _, f := range peer.Faults() {
		contains(t, list, f.Name)
	}
	as := serveIt(t, "as", "--port", "0", "--auto-consent", "--fault", "asm-no-pkce")
	rs := serveIt(t, "rs", "--port", "0", "--as", as.Address)
	contains(t, newCLI(t).exit(exitPeer, "login", rs.Address).err, "asm-pkce")
	newCLI(t).exit(exitUsage, "serve", "rs", "--fault", "asm-no-pkce")
}

func TestServeRSWithoutAS(t *testing.T) {
	contains(t, newCLI(t).exit(exitNetwork, "serve", "rs", "--port", "0", "--as", "http://127.0.0.1:1").err, "stile serve as")
}

// The page of the commands is what the commands say.
func TestCommandsPage(t *testing.T) {
	page, err := commandsMarkdown(newRoot(newCLI(t).app(io.Discard, io.Discard)))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", "docs", commandsPage)
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, page) {
		t.Error("docs/commands.md is stale: go run ./cmd/stile docs docs")
	}
	for _, want := range []string{"## stile login", "## stile store import", "## stile serve legacy", "Exit status"} {
		contains(t, string(page), want)
	}
	dir := t.TempDir()
	newCLI(t).ok("docs", dir)
	if written, err := os.ReadFile(filepath.Join(dir, commandsPage)); err != nil || !bytes.Equal(written, page) {
		t.Errorf("stile docs wrote something else: %v", err)
	}
}

// Beside an authorization server whose metadata is bad from the beginning, a
// client meets what it should meet; when the metadata is good later on, tokens
// are verified.
func TestServeRSBesideAFaultyAS(t *testing.T) {
	t.Parallel()
	for fault, says := range map[string]string{
		"asm-404": "asm-served", "asm-issuer-mismatch": "asm-issuer-match", "asm-500": "HTTP status 500",
		"asm-redirect": "net-redirect-get", "asm-truncated": "asm-json-strict", "asm-empty": "asm",
	} {
		t.Run(fault, func(t *testing.T) {
			as := serveIt(t, "as", "--port", "0", "--auto-consent", "--fault", fault)
			rs := serveIt(t, "rs", "--port", "0", "--as", as.Address)
			r := newCLI(t).run("login", rs.Address)
			if r.code != exitPeer && r.code != exitNetwork {
				t.Errorf("exit status %d", r.code)
			}
			contains(t, r.err, "error:", says)
		})
	}
	as := serveIt(t, "as", "--port", "0", "--auto-consent", "--fault", "asm-404@1")
	rs := serveIt(t, "rs", "--port", "0", "--as", as.Address)
	c := newCLI(t)
	c.ok("login", rs.Address)
	contains(t, c.ok("call", rs.Address, "whoami").out, "demo_user")
}
