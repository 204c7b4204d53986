package main

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The command lines of mcp-remote's own documentation, and what becomes of each flag.
func TestBridgeTakesMCPRemotesFlags(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	headers := write("headers.txt", "# credentials\nAuthorization: Bearer my-token\nX-Custom-Header: custom-value\n")
	info := write("info.json", `{"client_id":"xxx","client_secret":"${MCP_SECRET}"}`)
	const url = "https://remote.mcp.server/sse"
	for _, c := range []struct {
		args    string
		refused string // what the refusal says; empty: it is taken
	}{
		{"", ""},
		{"9696", ""},
		{"--header Authorization:${AUTH_HEADER}", ""},
		{"--header-file " + headers, ""},
		{"--header-file " + headers + "x", "--header-file"},
		{"--header Authorization:${NOT_SET}", "the environment has no NOT_SET"},
		{"--resource https://tenant1.atlassian.net/", ""},
		{"--authorize-param access_type=offline --authorize-param prompt=consent", ""},
		{"--authorize-param audience=https://api.example", ""},
		{"--authorize-param state=1", "--authorize-param: state is not to be set"},
		{"--authorize-param audience", "is not KEY=VALUE"},
		{"--disable-resource-parameter", ""},
		{"--host 127.0.0.1", ""},
		{"--callback-path /custom/callback", ""},
		{"--callback-path custom", "--callback-path"},
		{"--auth-success-url https://app.example.com/cli-connected", ""},
		{"--auth-success-url http://app.example.com/", "--auth-success-url"},
		{"--debug", ""},
		{"--silent", ""},
		{"--enable-proxy", ""},
		{"--ignore-tool delete* --ignore-tool remove*", ""},
		{"--auth-timeout 60", ""},
		{"--connect-timeout 30 --headers-timeout 60 --body-timeout 0", ""},
		{"--keep-alive --ping-interval 60", ""},
		{"--ipv4", ""},
		{"--transport sse-only", ""},
		{"--transport http-first", ""},
		{"--transport other", "--transport"},
		{"--protocol auto", ""},
		{"--protocol legacy", ""},
		{"--protocol modern", "--protocol"},
		{`--static-oauth-client-metadata {"scope":"a"}`, ""},
		{"--static-oauth-client-info @" + info, ""},
		{`--static-oauth-client-info {"client_id":"a"}`, ""},
		{"--client-metadata-url https://client.example.com/.well-known/oauth-client-metadata", ""},
		{"--client-credentials", "--client-credentials alone is refused"},
		{`--client-credentials --issuer https://login.example --static-oauth-client-info {"client_id":"a","client_secret":"${MCP_SECRET}"}`, ""},
		{"--token-endpoint https://auth.example.com/token", "--token-endpoint is refused"},
		{"--device-code", ""},
		{"--use-id-token", "--use-id-token is refused"},
		{"--disable-cookies", ""},
		{"--allow-http", ""},
		{"--no-such-flag", "unknown flag"},
		{"99999", "PORT"},
	} {
		t.Run(c.args, func(t *testing.T) {
			cl := newCLI(t)
			cl.env["XDG_STATE_HOME"] = t.TempDir()
			cl.env["AUTH_HEADER"], cl.env["MCP_SECRET"] = "Bearer x", "s"
			r := cl.run(append([]string{"bridge", url}, strings.Fields(c.args)...)...)
			if c.refused == "" {
				if r.code != exitOK || r.out != "" {
					t.Errorf("exit status %d: %s%s", r.code, r.out, r.err)
				}
				return
			}
			if r.code != exitUsage {
				t.Errorf("exit status %d", r.code)
			}
			contains(t, r.err, c.refused)
		})
	}
	contains(t, newCLI(t).exit(exitUsage, "bridge", "http://internal.example/sse", "--allow-http").err, "in the clear")
}

// An answer to initialize needs no network.
func TestBridgeAnswersWithoutAServer(t *testing.T) {
	c := newCLI(t)
	c.env["XDG_STATE_HOME"] = t.TempDir()
	c.in = strings.NewReader(helloLine + "\n")
	r := c.ok("bridge", "https://127.0.0.1:1/mcp")
	var m struct {
		ID     int `json:"id"`
		Result struct {
			ProtocolVersion string `json:"protocolVersion"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(r.out), &m); err != nil || m.ID != 1 || m.Result.ProtocolVersion != "2025-11-25" {
		t.Errorf("%v in %q: %s", err, r.out, r.err)
	}
}

// The oldest traces of a server are gone when the bridge has ended, and nobody goes on
// removing them.
func TestBridgeKeepsFewTraces(t *testing.T) {
	const server = "https://127.0.0.1:1/mcp"
	c := newCLI(t)
	state := t.TempDir()
	c.env["XDG_STATE_HOME"] = state
	relay := func() {
		c.in = strings.NewReader(helloLine + "\n")
		c.ok("bridge", server)
	}
	relay()
	memo, err := filepath.Glob(filepath.Join(state, "stile-bridge", "*.json"))
	if err != nil || len(memo) != 1 {
		t.Fatalf("%q, %v", memo, err)
	}
	dir := strings.TrimSuffix(memo[0], ".json") + ".traces"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for n := range maxTraces + 20 {
		path := filepath.Join(dir, fmt.Sprintf("%03d.jsonl", n))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old.Add(time.Duration(n)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	relay()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != maxTraces || filepath.Base(left[0]) != "020.jsonl" {
		t.Errorf("%d traces are left, from %q: %v", len(left), left[:min(1, len(left))], err)
	}
}

// The entry of a host is put into its file; the rest of the file stays.
func TestBridgeConfig(t *testing.T) {
	c := newCLI(t)
	for _, h := range hostFormats {
		out := c.ok("bridge", "config", h.name, "https://mcp.example.com/mcp", "--", "--ignore-tool", "a<b").out
		contains(t, out, `"bridge"`, "https://mcp.example.com/mcp", "a<b", "example")
		if !h.toml && !json.Valid([]byte(out)) {
			t.Errorf("%s: %s", h.name, out)
		}
	}
	file := filepath.Join(t.TempDir(), "new", "mcp.json")
	out := c.ok("bridge", "config", "cursor", "https://mcp.example/mcp", "--name", "one", "--write", "--file", file).out
	contains(t, out, file, `+     "one": {`, "Written")
	before := "{\n  \"zoom\": 1.0,\n  \"mcpServers\": {\n    \"b\": {\n      \"command\": \"x\"\n    },\n    \"a\": {}\n  },\n  \"last\": [\n    1\n  ]\n}\n"
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o640); err != nil { // whatever the umask
		t.Fatal(err)
	}
	out = c.ok("bridge", "config", "cursor", "https://mcp.example/mcp", "--name", "one", "--write", "--file", file).out
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(before, "\"a\": {}\n", "\"a\": {},\n    \"one\": {\n      \"command\": \"stile\",\n      \"args\": [\n        \"bridge\",\n        \"https://mcp.example/mcp\"\n      ]\n    }\n", 1)
	if string(after) != want {
		t.Errorf("%s", after)
	}
	if strings.Contains(out, "zoom") || !strings.Contains(out, `-     "a": {}`) {
		t.Errorf("the difference: %s", out)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	contains(t, c.ok("bridge", "config", "cursor", "https://mcp.example/mcp", "--name", "one", "--write", "--file", file).out, "already")
	if err := os.WriteFile(file, []byte("{ broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, c.exit(exitUsage, "bridge", "config", "cursor", "https://mcp.example/mcp", "--write", "--file", file).err, "not JSON", "mend the file")
	contains(t, c.exit(exitUsage, "bridge", "config", "emacs", "https://mcp.example/mcp").err, "emacs", "cursor")
}

// The login of mcp-remote is taken over where its issuer is named, and kept in
// quarantine otherwise. Its files are not changed.
func TestBridgeTakesOverALogin(t *testing.T) {
	issuer, server := peers(t, nil, nil)
	c := newCLI(t)
	theirs := t.TempDir()
	c.env["MCP_REMOTE_CONFIG_DIR"] = theirs
	dir := filepath.Join(theirs, "mcp-remote-v1")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, fmt.Sprintf("%x", md5.Sum([]byte(server))))
	for file, text := range map[string]string{
		name + "_tokens.json":      `{"access_token":"imported-access","refresh_token":"imported-refresh","token_type":"Bearer","expires_in":3600}`,
		name + "_client_info.json": `{"client_id":"imported-client"}`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := startBridge(t, c, nil, server)
	if _, err := b.ListTools(t.Context(), nil); err != nil { // it logs in: nothing of the quarantine is sent
		t.Fatalf("%v: %s", err, b.err)
	}
	contains(t, b.err.String(), "in quarantine", "stile store import")
	if strings.Contains(b.err.String(), "imported-") {
		t.Errorf("a secret: %s", b.err)
	}
	again := startBridge(t, c, nil, server)
	if _, err := again.ListTools(t.Context(), nil); err != nil || strings.Contains(again.err.String(), "mcp-remote") {
		t.Errorf("%v: %s", err, again.err)
	}
	// An instance with a store of its own, which is told the issuer, sends the tokens
	// to nobody else; the server refuses them, and a login follows.
	fresh := newCLI(t)
	fresh.env["MCP_REMOTE_CONFIG_DIR"] = theirs
	bound := startBridge(t, fresh, nil, server, "--issuer", issuer)
	if _, err := bound.ListTools(t.Context(), nil); err != nil {
		t.Errorf("%v: %s", err, bound.err)
	}
	contains(t, bound.err.String(), "was taken over")
	// mcp-remote notes the issuer since 0.15; one that contradicts is not believed.
	text := `{"access_token":"imported-access","refresh_token":"imported-refresh","token_type":"Bearer","expires_in":3600,"issuer":"` + issuer + `"}`
	if err := os.WriteFile(name+"_tokens.json", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	noted, wrong := newCLI(t), newCLI(t)
	noted.env["MCP_REMOTE_CONFIG_DIR"], wrong.env["MCP_REMOTE_CONFIG_DIR"] = theirs, theirs
	named := startBridge(t, noted, nil, server)
	if _, err := named.ListTools(t.Context(), nil); err != nil {
		t.Errorf("%v: %s", err, named.err)
	}
	contains(t, named.err.String(), "was taken over")
	contains(t, wrong.exit(exitUsage, "store", "import", server, "--issuer", issuer+"/other").err, "says that "+issuer)
	contains(t, wrong.ok("store", "import", server).out, issuer)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v %v", entries, err)
	}
}
