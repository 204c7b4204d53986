package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// hostFormat says how the configuration of a host lists its servers.
type hostFormat struct {
	name string
	// path is the file, from the home directory unless it is local to a project.
	path  func(goos string) string
	local bool
	// member is the object that holds the servers.
	member string
	// more is put into an entry besides command and args.
	more map[string]any
	toml bool
}

func everywhere(path string) func(string) string { return func(string) string { return path } }

// hostFormats are the hosts with a documented configuration.
var hostFormats = []hostFormat{
	{name: "claude-code", path: everywhere(".mcp.json"), local: true, member: "mcpServers"},
	{name: "claude-desktop", member: "mcpServers", path: func(goos string) string {
		switch goos {
		case "darwin":
			return "Library/Application Support/Claude/claude_desktop_config.json"
		case "windows":
			return "AppData/Roaming/Claude/claude_desktop_config.json"
		}
		return ".config/Claude/claude_desktop_config.json"
	}},
	{name: "codex", path: everywhere(".codex/config.toml"), toml: true},
	{name: "cursor", path: everywhere(".cursor/mcp.json"), member: "mcpServers"},
	{name: "gemini-cli", path: everywhere(".gemini/settings.json"), member: "mcpServers"},
	{name: "vscode", path: everywhere(".vscode/mcp.json"), local: true, member: "servers", more: map[string]any{"type": "stdio"}},
	{name: "windsurf", path: everywhere(".codeium/windsurf/mcp_config.json"), member: "mcpServers"},
}

func hostNames() []string {
	var out []string
	for _, h := range hostFormats {
		out = append(out, h.name)
	}
	return out
}

// file is the usual place of a host's configuration.
func (h hostFormat) file() (string, error) {
	path := filepath.FromSlash(h.path(runtime.GOOS))
	if h.local {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usage("--file: %w", err)
	}
	return filepath.Join(home, path), nil
}

// command is what the host starts. A host with windows of its own often has another PATH
// than a shell, so it gets the whole path of this program; a file that a project shares
// cannot hold a path of this machine.
func (h hostFormat) command() string {
	self, err := os.Executable()
	if h.local || err != nil || strings.Contains(filepath.ToSlash(self), "/go-build") { // go run
		return "stile"
	}
	// Where a package manager links the program, the link outlives an update.
	if linked, err := exec.LookPath("stile"); err == nil && filepath.IsAbs(linked) {
		if a, err := os.Stat(linked); err == nil {
			if b, err := os.Stat(self); err == nil && os.SameFile(a, b) {
				return linked
			}
		}
	}
	return self
}

var (
	// generic labels of a host name do not tell one server from another.
	generic = []string{"mcp", "api", "www", "app", "remote", "server"}
	// secondLevel are labels below which a country registers its domains.
	secondLevel = []string{"ac", "co", "com", "edu", "gob", "gov", "ne", "net", "or", "org"}
	// shared are domains of hosting, whose customers have names below them.
	shared = []string{
		"a.run.app", "azurecontainerapps.io", "azurewebsites.net", "deno.dev", "fly.dev", "github.io", "herokuapp.com", "hf.space",
		"modal.run", "netlify.app", "ngrok-free.app", "ngrok.app", "onrender.com", "pages.dev", "trycloudflare.com", "up.railway.app",
		"vercel.app", "workers.dev",
	}
)

// entryName derives a name from an address: the label of the host name that tells the
// server from others.
func entryName(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return "server"
	}
	host := u.Hostname()
	parts := strings.Split(host, ".")
	if len(parts) == 1 || strings.Contains(host, ":") || !strings.ContainsFunc(parts[len(parts)-1], func(r rune) bool { return r < '0' || r > '9' }) {
		return strings.Trim(strings.NewReplacer(".", "-", ":", "-").Replace(host), "-")
	}
	for _, domain := range shared {
		if below, ok := strings.CutSuffix(host, "."+domain); ok {
			labels := strings.Split(below, ".")
			if i := slices.IndexFunc(labels, func(l string) bool { return !slices.Contains(generic, l) }); i >= 0 {
				return labels[i]
			}
			return labels[0]
		}
	}
	parts = parts[:len(parts)-1]
	if n := len(parts); n > 1 && len(host)-strings.LastIndexByte(host, '.') == 3 && slices.Contains(secondLevel, parts[n-1]) {
		parts = parts[:n-1]
	}
	return parts[len(parts)-1]
}
