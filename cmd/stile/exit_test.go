package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
)

// What is wrong with the command line is said, with status 2, before anything
// is asked of anybody.
func TestUsage(t *testing.T) {
	const server = "http://127.0.0.1:1/mcp"
	for _, c := range []struct {
		args string
		says string
	}{
		{"login", "accepts 1 arg"},
		{"login a b", "usage: stile login URL"},
		{"frobnicate", "unknown command"},
		{"login --frobnicate " + server, "unknown flag"},
		{"login --timeout soon " + server, "invalid argument"},
		{"login --timeout -5s " + server, "--timeout"},
		{"login not-an-address", "not absolute"},
		{"login http://mcp.example/mcp", "https"},
		{"login --revision 2024-01-01 " + server, "2025-03-26"},
		{"login --waive no-such-rule " + server, "no-such-rule"},
		{"login --waive issuer-alias=one " + server, "takes 2 values"},
		{"login --waive asm-issuer-match " + server, "may not be waived"},
		{"login --client-id x " + server, "--issuer"},
		{"login --client-secret-file /nonexistent --client-id x --issuer http://127.0.0.1:1 " + server, "--client-secret-file"},
		{"login --client-metadata http://example.com/x " + server, "https"},
		{"login --redirect-uri http://example.com/callback " + server, "--redirect-uri: \"http://example.com/callback\" is neither https nor http on loopback"},
		{"login --ca-bundle /nonexistent " + server, "--ca-bundle"},
		{"login --store nonsense " + server, "sqlite:PATH"},
		{"call " + server + " tool [1]", "JSON object"},
		{"call " + server + " tool null", "JSON object"},
		{"draw --format gif", "mermaid"},
		{"draw --group nothing", "refresh"},
		{"rules no-such-rule", "there is no rule"},
		{"serve as --port 70000", "no port"},
		{"serve as --host 192.0.2.1 --port 0", "loopback"},
		{"serve as --fault no-such-fault", "stile serve faults"},
		{"serve as --fault prm-404", ""},
		{"serve rs --tool-scope x", "TOOL=SCOPE"},
		{"store purge", "--all"},
		{"store purge --all " + server, "not both"},
		{"store migrate", "--to"},
		{"trace show --html --sequence x", "choose one"},
	} {
		t.Run(c.args, func(t *testing.T) {
			contains(t, newCLI(t).exit(exitUsage, strings.Fields(c.args)...).err, "error:", c.says)
		})
	}
}

// What is wrong with an address is said with its rule, also as JSON.
func TestUsageCitesRules(t *testing.T) {
	for _, command := range []string{"login", "token", "tools", "status", "logout"} {
		contains(t, newCLI(t).exit(exitUsage, command, "nonsense").err, "error: URL: ", "not absolute", "rule ", "url-parse-strict", "clause", "https://mcp.example/mcp")
		v := decode[struct{ Error said }](t, newCLI(t).exit(exitUsage, command, "nonsense", "--json").err)
		if v.Error.Exit != exitUsage || v.Error.Rule != "url-parse-strict" || v.Error.Clause == "" || v.Error.Advice == "" {
			t.Errorf("%s: %+v", command, v.Error)
		}
	}
}

// Every quirk that completion offers is one that the machine takes.
func TestQuirks(t *testing.T) {
	for _, q := range quirks {
		w := states.Waiver{Rule: q}
		if strings.HasSuffix(q, "-alias") {
			w.Values = []string{"https://a.example", "https://b.example"}
		}
		if _, err := fsm.New(states.Config{Server: "https://mcp.example/mcp", Waive: []states.Waiver{w}}); err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// The exit status says whose fault it is, and the error what to do.
func TestFaults(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	fault := func(names ...string) func(*devas.ASConfig) {
		return func(c *devas.ASConfig) { c.Faults = names }
	}
	for _, c := range []struct {
		name   string
		as     func(*devas.ASConfig)
		rs     func(*devas.RSConfig)
		server string
		code   int
		says   []string
	}{
		{name: "denied", as: func(c *devas.ASConfig) { c.Deny = true }, code: exitLogin, says: []string{"denied by", "the human or the issuer", "access_denied", "what to do"}},
		{name: "issuer of another", as: fault("asm-issuer-mismatch"), code: exitPeer, says: []string{"the server", "asm-issuer-match", "RFC 8414", "requires", "Discovering-ASM"}},
		{name: "no PKCE", as: fault("asm-no-pkce"), code: exitPeer, says: []string{"asm-pkce"}},
		{name: "no way to a client", as: func(c *devas.ASConfig) { c.DCR, c.CIMD = false, false }, code: exitUsage, says: []string{"configure its client id"}},
		{name: "nobody there", server: closed.URL + "/mcp", code: exitNetwork, says: []string{"the network", "connection refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, server := peers(t, c.as, c.rs)
			if c.server != "" {
				server = c.server
			}
			u := newCLI(t)
			contains(t, u.exit(c.code, "login", server).err, c.says...)
			// Twice would be a second login for most; as JSON it is one value.
			r := u.exit(c.code, "login", server, "--json")
			last := r.err[strings.LastIndex(strings.TrimSpace(r.err), "\n")+1:]
			v := decode[struct {
				Error said `json:"error"`
			}](t, last)
			if v.Error.Exit != c.code || v.Error.State == "" || v.Error.Step == "" || v.Error.Party == "" || v.Error.Rule == "" || v.Error.Clause == "" || r.out != "" {
				t.Errorf("%+v, on standard output %q", v.Error, r.out)
			}
		})
	}
}

func TestStoreFailures(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.ok("login", server)
	dir := strings.TrimPrefix(c.env["STILE_STORE"], "file:")
	files, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	// An envelope that was altered.
	key := states.Key{Kind: states.KindCredential, Name: server}
	e, err := files.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	e.Value[len(e.Value)-1] ^= 1
	if _, err := files.Put(t.Context(), key, e.Value, e.Generation, e.Expires); err != nil {
		t.Fatal(err)
	}
	contains(t, c.exit(exitStore, "token", server).err, "error:", "what to do")
	c.exit(exitStore, "status", server)
	contains(t, c.exit(exitStore, "status").err, server)
	contains(t, c.ok("store", "list").out, "cannot be read")
	contains(t, c.ok("store", "purge", "--unreadable", "--yes").out, "removed 1 entry")
	c.ok("login", server)

	// A file that was cut off.
	name := storage.KeyID(key)
	if err := os.Truncate(filepath.Join(dir, name[:2], name+".entry"), 100); err != nil {
		t.Fatal(err)
	}
	r := c.exit(exitStore, "store", "list")
	contains(t, r.out, "registration")
	contains(t, r.err, name)
	contains(t, c.exit(exitStore, "store", "migrate", "--to", "memory").out, "copied")

	// A directory that others can write is not used.
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // on purpose
		t.Fatal(err)
	}
	contains(t, c.exit(exitStore, "status").err, dir)
}

// A server without its path: the right address is named.
func TestForgottenPath(t *testing.T) {
	_, server := peers(t, nil, nil)
	bare := strings.TrimSuffix(server, "/mcp")
	for _, given := range []string{bare, bare + "/", bare + "/mpc"} {
		contains(t, newCLI(t).exit(exitPeer, "login", given).err, "try: stile login "+server)
	}
	// The same when the metadata is at the root and speaks of another path.
	mux := http.NewServeMux()
	at := httptest.NewServer(mux)
	defer at.Close()
	mux.HandleFunc("/.well-known/oauth-protected-resource", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"resource":"` + at.URL + `/other","authorization_servers":["` + at.URL + `"]}`))
	})
	contains(t, newCLI(t).exit(exitPeer, "login", at.URL).err, "prm-resource-match", "try: stile login "+at.URL+"/other")
}

const hostile = "\x1b[2J\x1b]0;owned\x07\u009b31m\u202egnp.exe\u2028\r"

// clean reports what of a text a terminal could take for a command.
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
		check(c.exit(exitFailed, append([]string{"call", server, hostile}, flags...)...))
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
		{"login --waive ", "assume-s256"},
		{"serve as --fault ", "iss-missing"},
		{"draw --format ", "svg"},
		{"rules ", "asm-issuer-match"},
		{"store list --kind ", "credential"},
	} {
		args := append([]string{"__complete"}, strings.Split(c.args, " ")...)
		contains(t, newCLI(t).ok(args...).out, c.want)
	}
}
