package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An entry goes into a file that a user edits, and nothing else of the file changes.
func TestBridgeConfigEdits(t *testing.T) {
	const (
		line  = `"one": {"command":"stile","args":["bridge","https://mcp.example/mcp"]}`
		entry = "\"one\": {\n      \"command\": \"stile\",\n      \"args\": [\n        \"bridge\",\n        \"https://mcp.example/mcp\"\n      ]\n    }"
		table = "[mcp_servers.\"one\"]\ncommand = \"stile\"\nargs = [\"bridge\",\"https://mcp.example/mcp\"]\n"
	)
	for _, c := range []struct{ name, host, before, after string }{
		{"nothing there", "cursor", "", "{\n  \"mcpServers\": {\n    " + entry + "\n  }\n}\n"},
		{"an empty object", "cursor", "{}", "{\n  \"mcpServers\": {\n    " + entry + "\n  }\n}"},
		{
			"comments and other spacing", "cursor",
			"{ // mine\n  \"a\":[1,2 , 3], /* \"x\" */\n  \"mcpServers\": { \n    // first\n    \"b\": {\"url\":\"https://b.example/\"} // last\n  }\n}",
			"{ // mine\n  \"a\":[1,2 , 3], /* \"x\" */\n  \"mcpServers\": { \n    // first\n    \"b\": {\"url\":\"https://b.example/\"}, // last\n    " + entry + "\n  }\n}",
		},
		{
			"a trailing comma, a comment in a string", "cursor",
			"{\n  \"mcpServers\": {\n    \"b\": {\"url\": \"https://b.example/ // }\"},\n  },\n}\n",
			"{\n  \"mcpServers\": {\n    \"b\": {\"url\": \"https://b.example/ // }\"},\n    " + entry + "\n  },\n}\n",
		},
		{
			"the same server", "cursor",
			"{\n  \"mcpServers\": {\n    \"one\": {\"command\":\"npx\",\"args\":[\"mcp-remote\",\"https://mcp.example/mcp\"],\"env\":{\"A\":\"b\"}}\n  }\n}\n",
			"{\n  \"mcpServers\": {\n    " + strings.TrimSuffix(entry, "\n    }") + ",\n      \"env\": {\n        \"A\": \"b\"\n      }\n    }\n  }\n}\n",
		},
		{"the same entry", "cursor", "{\"mcpServers\":{" + line + "}}", "{\"mcpServers\":{" + line + "}}"},
		{"TOML", "codex", "# mine\nmodel = \"x\"", "# mine\nmodel = \"x\"\n\n" + table},
		{"TOML, the same entry", "codex", table + "\n[other]\n", table + "\n[other]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := newCLI(t)
			file := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(file, []byte(c.before), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"bridge", "config", c.host, "https://mcp.example/mcp", "--name", "one", "--write", "--file", file}
			cl.ok(args...)
			after, err := os.ReadFile(file)
			if err != nil || string(after) != c.after {
				t.Fatalf("%v:\n%s\nwant:\n%s", err, after, c.after)
			}
			contains(t, cl.ok(args...).out, "already")
		})
	}
	for host, before := range map[string]string{
		"cursor": `{"mcpServers":{"one":{"command":"stile","args":["bridge","https://other.example/mcp"]}}}`,
		"vscode": `{"servers":{"one":7}}`,
		"codex":  "[ mcp_servers.one ]\ncommand = 'x'\n",
	} {
		cl := newCLI(t)
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		contains(t, cl.exit(exitUsage, "bridge", "config", host, "https://mcp.example/mcp", "--name", "one", "--write", "--file", file).err, file, "--name")
		if after, err := os.ReadFile(file); err != nil || string(after) != before {
			t.Errorf("%s: %v: %s", host, err, after)
		}
	}
}

// Servers of different people have different names.
func TestBridgeConfigNames(t *testing.T) {
	for url, want := range map[string]string{
		"https://a.workers.dev/mcp": "a", "https://mcp.b.workers.dev/mcp": "b", "https://foo.co.uk/mcp": "foo", "https://mcp.example.com/mcp": "example",
		"https://api.one.example/": "one", "http://127.0.0.1:8000/mcp": "127-0-0-1", "http://localhost:8000/mcp": "localhost", "http://[::1]:8000/": "1",
	} {
		out := decode[map[string]map[string]any](t, newCLI(t).ok("bridge", "config", "cursor", url).out)["mcpServers"]
		if len(out) != 1 || out[want] == nil {
			t.Errorf("%s: %v", url, out)
		}
	}
}

// What the bridge refuses does not get into a configuration.
func TestBridgeConfigChecks(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"https://mcp.example/mcp", "--", "--nosuch"}, "--nosuch"},
		{[]string{"https://mcp.example/mcp", "--", "--transport", "carrier-pigeon"}, "--transport"},
		{[]string{"https://mcp.example/mcp", "--", "--static-oauth-client-info", "{bad"}, "--static-oauth-client-info"},
		{[]string{"https://mcp.example/mcp", "--", "--header", "x"}, "--header"},
		{[]string{"https://mcp.example/mcp", "--ignore-tool", "x"}, "after --"},
		{[]string{"http://192.168.1.5:8123/mcp"}, "in the clear"},
		{[]string{"mcp.example/mcp"}, "did you mean https://mcp.example/mcp?"},
	} {
		contains(t, newCLI(t).exit(exitUsage, append([]string{"bridge", "config", "cursor"}, c.args...)...).err, c.says)
	}
	newCLI(t).ok("bridge", "config", "cursor", "https://mcp.example/mcp", "--", "9000", "--header", "X: ${SET_BY_THE_HOST}", "-v")
}

// A host with windows gets the whole path of the program, a shared file does not.
func TestBridgeConfigNamesTheProgram(t *testing.T) {
	program := filepath.Join(t.TempDir(), "stile-here")
	from, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(program, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"cursor": program, "claude-code": "stile"} {
		c := exec.CommandContext(t.Context(), program, "bridge", "config", host, "https://mcp.example/mcp")
		c.Env = append(os.Environ(), "STILE_TEST_COMMAND=1")
		out, err := c.Output()
		var m map[string]map[string]struct{ Command string }
		if err != nil || json.Unmarshal(out, &m) != nil || m["mcpServers"]["example"].Command != want && m["mcpServers"]["mcp"].Command != want {
			t.Errorf("%s: %v: %s", host, err, out)
		}
	}
}

// What is wrong with the command line of the bridge is said at the start.
func TestBridgeChecksItsFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"https://mcp.example/mcp", "--static-oauth-client-info", "{bad"}, "--static-oauth-client-info"},
		{[]string{"https://mcp.example/mcp", "--static-oauth-client-metadata", "@" + filepath.Join(t.TempDir(), "none")}, "--static-oauth-client-metadata"},
		{[]string{"https://mcp.example/mcp", "--host", "0.0.0.0"}, "--host"},
		{[]string{"https://mcp.example/mcp", "--auth-timeout", "abc"}, `--auth-timeout: "abc" is not a number`},
		{[]string{"mcp.example/mcp"}, "did you mean https://mcp.example/mcp?"},
		{[]string{"import", "--help"}, `unknown command "stile bridge import"`},
	} {
		contains(t, newCLI(t).exit(exitUsage, append([]string{"bridge"}, c.args...)...).err, c.says)
	}
	contains(t, newCLI(t).ok("bridge", "--version").out, "stile")
	user := newCLI(t)
	user.terminal, user.env["XDG_STATE_HOME"] = true, t.TempDir()
	contains(t, user.ok("bridge", "https://127.0.0.1:1/mcp").err, "stile bridge config HOST URL")
	contains(t, newCLI(t).ok("bridge", "https://mcp.example/mcp", "--help").out, "--ignore-tool")
	contains(t, newCLI(t).exit(exitUsage, "nosuch", "--help").err, `unknown command "stile nosuch"`)
	for _, args := range [][]string{{"store", "import", "mcp.example/mcp"}, {"store", "bind", "mcp.example/mcp", "--issuer", "https://login.example"}} {
		contains(t, newCLI(t).exit(exitUsage, args...).err, "did you mean https://mcp.example/mcp?")
	}
	r := newCLI(t).exit(exitUsage, "login", "http://user:pw@mcp.example/mcp")
	if strings.Contains(r.err, "URL: URL") || strings.Contains(r.err, "pw") {
		t.Error(r.err)
	}
	c := newCLI(t)
	c.in = strings.NewReader("hello\n")
	contains(t, c.exit(exitUsage, "bridge", "paste", "https://mcp.example/mcp", "--store", "memory").err, "paste the whole address")
}
