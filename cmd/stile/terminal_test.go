package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

func TestTokenOnATerminal(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.ok("login", server)
	c.terminal = true
	contains(t, c.ok("token", server).err, "the token is a secret")
}

func TestColours(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.terminal = true
	if r := c.ok("login", server); !strings.Contains(r.out, "\x1b[32m") {
		t.Errorf("no colour on a terminal: %q", r.out)
	}
	c.env["NO_COLOR"] = "1"
	if r := c.ok("login", server, "--again", "-v"); strings.Contains(r.out+r.err, "\x1b") {
		t.Errorf("colours with NO_COLOR: %q", r.out+r.err)
	}
}

const hostile = "\x1b[2J\x1b]0;owned\x07\u009b31m\u202egnp.exe\u2028\r"

// notClean reports what of a text a terminal could take for a command.
func notClean(text string) string {
	for _, r := range text {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return string(r)
		}
	}
	return ""
}

// What a server writes never reaches the terminal as it is.
func TestHostileBytes(t *testing.T) {
	noisy := mcp.NewServer(&mcp.Implementation{Name: hostile, Version: "1"}, nil)
	mcp.AddTool(noisy, &mcp.Tool{Name: "shout", Description: "Shouts. " + hostile},
		func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{
				&mcp.TextContent{Text: "one\ttwo\n" + hostile}, &mcp.ImageContent{MIMEType: hostile, Data: []byte("x")}, &mcp.ResourceLink{URI: "x:" + hostile, Name: "x"},
			}}, nil, nil
		})
	_, server := peers(t, nil, func(c *devas.RSConfig) {
		c.MCP = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return noisy }, nil)
	})
	c := newCLI(t)
	check := func(r result) {
		t.Helper()
		if bad := notClean(r.out + r.err); bad != "" {
			t.Errorf("%q reached the terminal: %q %q", bad, r.out, r.err)
		}
	}
	for _, flags := range [][]string{nil, {"--json"}} {
		check(c.ok(append([]string{"tools", server}, flags...)...))
		r := c.exit(exitFailed, append([]string{"call", server, "shout"}, flags...)...)
		check(r)
		contains(t, r.out, "owned")
		for _, f := range []string{"error-with-escapes", "token-error-escapes"} {
			_, bad := peers(t, func(c *devas.ASConfig) { c.Faults = []string{f} }, nil)
			r := newCLI(t).run(append([]string{"login", bad, "-v"}, flags...)...)
			if r.code != exitPeer && r.code != exitLogin {
				t.Errorf("%s: exit status %d", f, r.code)
			}
			check(r)
		}
		check(c.exit(exitUsage, append([]string{"call", server, hostile}, flags...)...))
	}
	if got := decode[struct {
		Content []struct{ Text string }
	}](t, c.exit(exitFailed, "call", server, "shout", "--json").out); got.Content[0].Text != "one\ttwo\n"+hostile {
		t.Errorf("--json is not what the tool said: %q", got.Content[0].Text)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := newCLI(t).ok("completion", shell); len(r.out) < 1000 {
			t.Errorf("%s: %d bytes", shell, len(r.out))
		}
	}
	for _, c := range []struct{ args, want string }{
		{"log", "login"},
		{"login --revision ", "2025-06-18"},
		{"login --quirk ", "assume-s256"},
		{"serve as --fault ", "iss-missing"},
		{"draw --format ", "svg"},
		{"rules ", "asm-issuer-match"},
		{"store list --kind ", "credential"},
	} {
		args := append([]string{"__complete"}, strings.Split(c.args, " ")...)
		contains(t, newCLI(t).ok(args...).out, c.want)
	}
	// The servers that the store knows, and no store is created to look.
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	for _, command := range []string{"login", "token", "call", "status", "logout"} {
		c.ok("__complete", command, "")
	}
	c.exit(exitLogin, "status", server)
	c.ok("login", server)
	c.ok("login", server, "--account", "second")
	for _, command := range []string{"login", "token", "call", "tools", "status", "logout"} {
		if n := strings.Count(c.ok("__complete", command, "").out, server); n != 1 {
			t.Errorf("%s: the server is offered %d times", command, n)
		}
	}
	contains(t, c.ok("__complete", "store", "show", "").out, server)
}
