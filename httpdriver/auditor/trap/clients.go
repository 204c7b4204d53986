package trap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Client describes a client that is known by name: how to install and run it, where it
// keeps its files, and what it expects on its input.
type Client struct {
	Name    string
	Version string
	Says    string // what it is, in a few words
	// Node is the least major version of Node.js that it needs; 0 needs none.
	Node int

	packages string // npm packages
	install  func(ctx context.Context, dir, version string) error
	options  Options
}

// hello is what an MCP host says on stdio: it lists the tools and ends.
var hello = []Answer{
	{Say: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"stile-audit","version":"1"}}}` + "\n"},
	{After: `"id":1`, Say: `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n" + `{"jsonrpc":"2.0","id":2,"method":"tools/list"}` + "\n"},
	{After: `"id":2`},
}

// Clients lists the clients that are known by name. Versions are pinned, so that
// two audits run the same.
func Clients() []Client {
	return []Client{
		{Name: "stile", Version: "this one", Says: "stile tools and stile logout", options: Options{
			Command: []string{"{self}", "tools", "{url}"}, Logout: []string{"{self}", "logout", "{url}"},
		}},
		{Name: "stile-bridge", Version: "this one", Says: "stile bridge between a host on stdio and the server", options: Options{
			Command: []string{"{self}", "bridge", "{url}"}, Logout: []string{"{self}", "logout", "{url}"}, Answers: hello, Idle: 8 * time.Second,
		}},
		{Name: "mcp-remote", Version: "0.15.1", Says: "mcp-remote between a host on stdio and the server", Node: 18, packages: "mcp-remote", options: Options{
			Command: []string{"node", "{dir}/node_modules/mcp-remote/dist/proxy.js", "{url}", "--transport", "http-only"},
			Env:     []string{"MCP_REMOTE_CONFIG_DIR={home}/mcp-auth"}, Answers: hello, Idle: 5 * time.Second,
		}},
		{Name: "inspector", Version: "2.12.0", Says: "the MCP Inspector's --cli, listing tools", Node: 22, packages: "@modelcontextprotocol/inspector", options: Options{
			Command: []string{"node", "{dir}/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js", "--cli", "{url}", "--transport", "http",
				"--format", "json", "--callback-url", "http://127.0.0.1:0/oauth/callback", "--method", "tools/list"},
			Env: []string{"MCP_AUTO_OPEN_ENABLED=true", "MCP_INSPECTOR_SECRET_STORE=file"}, Idle: 8 * time.Second,
		}},
		{Name: "ts-sdk", Version: "1.32.2", Says: "simpleOAuthClient, the example of the TypeScript SDK", Node: 18, packages: "@modelcontextprotocol/sdk", options: Options{
			Command: []string{"node", "{dir}/node_modules/@modelcontextprotocol/sdk/dist/esm/examples/client/simpleOAuthClient.js", "{url}"},
			Answers: []Answer{{After: "mcp> ", Say: "list\n"}, {After: "mcp> ", Say: "quit\n"}}, Idle: 5 * time.Second,
		}},
		{Name: "go-sdk", Version: "v1.8.0", Says: "examples/auth/client of the go-sdk, with dynamic registration turned on", install: installGoSDK, options: Options{
			Command: []string{"{dir}/client", "-server_url", "{url}"}, Idle: 5 * time.Second,
		}},
	}
}

// Prepare installs the client under a directory, unless it is there already,
// and gives the options that run it.
func (c Client) Prepare(ctx context.Context, under string) (Options, error) {
	self, err := os.Executable()
	if err != nil {
		return Options{}, err
	}
	dir := filepath.Join(under, c.Name+"-"+strings.ReplaceAll(c.Version, " ", "-"))
	if c.packages != "" || c.install != nil {
		if err := c.installed(ctx, dir); err != nil {
			return Options{}, fmt.Errorf("%s %s cannot be installed: %w", c.Name, c.Version, err)
		}
	}
	o := c.options
	fill := func(list []string) []string {
		var out []string
		for _, a := range list {
			out = append(out, strings.NewReplacer("{self}", self, "{dir}", dir).Replace(a))
		}
		return out
	}
	o.Command, o.Logout = fill(o.Command), fill(o.Logout)
	return o, nil
}

func (c Client) installed(ctx context.Context, dir string) error {
	if c.Node > 0 {
		if err := nodeAtLeast(ctx, c.Node); err != nil {
			return err
		}
	}
	ready := filepath.Join(dir, "ready")
	if _, err := os.Stat(ready); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var err error
	if c.install != nil {
		err = c.install(ctx, dir, c.Version)
	} else {
		_, err = run(ctx, dir, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", c.packages+"@"+c.Version)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(ready, nil, 0o600)
}

func nodeAtLeast(ctx context.Context, want int) error {
	out, err := run(ctx, "", "node", "--version")
	if err != nil {
		return fmt.Errorf("node %d or newer is needed: %w", want, err)
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(out), "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < want {
		return fmt.Errorf("node %d or newer is needed, and %s is there", want, strings.TrimSpace(out))
	}
	return nil
}

// run returns the output of a command; its error has the end of the output.
func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		text := strings.TrimSpace(string(out))
		return "", fmt.Errorf("%s: %w: %s", name, err, text[max(0, len(text)-300):])
	}
	return string(out), nil
}

// The example of the go-sdk leaves the choice of a registration open; these are
// the lines that its source has as a comment.
var registration = strings.NewReplacer(
	`"github.com/modelcontextprotocol/go-sdk/mcp"`, "\"github.com/modelcontextprotocol/go-sdk/mcp\"\n\t\"github.com/modelcontextprotocol/go-sdk/oauthex\"",
	"// DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{", "DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{",
	"// \tMetadata: &oauthex.ClientRegistrationMetadata{", "Metadata: &oauthex.ClientRegistrationMetadata{",
	"// \t\tClientName:", "ClientName:", "// \t\tRedirectURIs:", "RedirectURIs:",
	"// \t\tScope: \"read\",\n\t\t// \t},\n\t\t// },", "}},",
)

func installGoSDK(ctx context.Context, dir, version string) error {
	const module = "github.com/modelcontextprotocol/go-sdk"
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module client\n\ngo 1.25\n\nrequire "+module+" "+version+"\n"), 0o600); err != nil {
		return err
	}
	if _, err := run(ctx, dir, "go", "mod", "download", module); err != nil {
		return err
	}
	at, err := run(ctx, dir, "go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return err
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(at), "examples", "auth", "client", "main.go"))
	if err != nil {
		return err
	}
	text := registration.Replace(strings.ReplaceAll(string(source), "\r\n", "\n"))
	if !strings.Contains(text, "\t\tDynamicClientRegistrationConfig:") || !strings.Contains(text, "}},") {
		return errors.New("the example is not the one that is known")
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(text), 0o600); err != nil {
		return err
	}
	name := "client"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	_, err = run(ctx, dir, "go", "build", "-mod=mod", "-o", name, ".")
	return err
}
