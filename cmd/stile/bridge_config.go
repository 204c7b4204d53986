package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states/wire"
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

func newBridgeConfig(a *app) *cobra.Command {
	var (
		name, file, command string
		write               bool
	)
	c := &cobra.Command{
		Use:   "config HOST URL [-- FLAGS...]",
		Short: "Print or write a host's configuration",
		Long: `Prints the entry that the configuration of HOST needs to use the server at URL through
the bridge. FLAGS are passed to the bridge. With --write, the command shows what
changes in the file, and changes it; the rest of the file stays as it is.

HOST is one of: ` + strings.Join(hostNames(), ", ") + `.`,
		Example: `  stile bridge config claude-desktop https://mcp.example/mcp
  stile bridge config cursor https://mcp.example/mcp --name example --write
  stile bridge config vscode https://mcp.example/mcp -- --ignore-tool 'delete*'`,
		Args: func(c *cobra.Command, given []string) error {
			if n := c.ArgsLenAtDash(); n >= 0 {
				given = given[:n]
			}
			return takes("HOST", "URL")(c, given)
		},
		ValidArgsFunction: func(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(given) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return hostNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, given []string) error {
			i := slices.IndexFunc(hostFormats, func(h hostFormat) bool { return h.name == given[0] })
			if i < 0 {
				return &failure{code: exitUsage, err: fmt.Errorf("the configuration of %q is not known", given[0]), advice: "the hosts are: " + strings.Join(hostNames(), ", ")}
			}
			h := hostFormats[i]
			canonical, err := wire.CanonicalServer(given[1])
			if err != nil {
				return &failure{code: exitUsage, err: err}
			}
			if name == "" {
				name = entryName(canonical.String())
			}
			e := entry{Command: command, Args: append([]string{"bridge", given[1]}, given[2:]...), more: h.more}
			if h.toml {
				return a.tomlEntry(h, name, e, write)
			}
			if !write {
				return a.printIndented(object{{h.member, marshalled(object{{name, marshalled(e.members())}})}})
			}
			if file == "" {
				if file, err = h.file(); err != nil {
					return err
				}
			}
			return a.writeEntry(file, h.member, name, e)
		},
	}
	fl := c.Flags()
	fl.StringVar(&name, "name", "", "the `NAME` of the server in the host (default: from URL)")
	fl.StringVar(&command, "command", "stile", "the `COMMAND` that starts stile")
	fl.StringVar(&file, "file", "", "the `FILE` of the host, if it is not in its usual place")
	fl.BoolVar(&write, "write", false, "show what changes in the file of the host, and write it")
	return c
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

// entryName derives a name from an address: the most telling part of the host name.
func entryName(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return "server"
	}
	parts := strings.Split(u.Hostname(), ".")
	if len(parts) > 1 && !strings.ContainsAny(parts[len(parts)-1], "0123456789") {
		return parts[len(parts)-2]
	}
	return strings.ReplaceAll(u.Hostname(), ".", "-")
}

// entry is how a host starts the bridge.
type entry struct {
	Command string
	Args    []string
	more    map[string]any
}

func (e entry) members() object {
	var o object
	for name, v := range e.more {
		o = append(o, member{name, marshalled(v)})
	}
	return append(o, member{"command", marshalled(e.Command)}, member{"args", marshalled(e.Args)})
}

// tomlEntry prints the entry of a host that reads TOML.
func (a *app) tomlEntry(h hostFormat, name string, e entry, write bool) error {
	if write {
		return &failure{code: exitUsage, err: fmt.Errorf("--write does not change TOML, which %s reads", h.name), advice: "add what the command prints without --write to ~/" + h.path(runtime.GOOS)}
	}
	a.say("[mcp_servers.%s]\ncommand = %s\nargs = %s\n", raw(marshalled(name)), raw(marshalled(e.Command)), raw(marshalled(e.Args)))
	return nil
}

// writeEntry puts an entry into a file, after it has shown the difference.
func (a *app) writeEntry(file, holder, name string, e entry) error {
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usage("--file: %w", err)
	}
	var whole object
	if len(bytes.TrimSpace(before)) > 0 {
		if err := json.Unmarshal(before, &whole); err != nil {
			return &failure{code: exitUsage, err: fmt.Errorf("%s is not plain JSON: %w", file, err), advice: "a file with comments is not changed; add what the command prints without --write"}
		}
	}
	var servers object
	if have := whole.get(holder); len(have) > 0 {
		if err := json.Unmarshal(have, &servers); err != nil {
			return usage("%s: %s is not an object", file, holder)
		}
	}
	whole = whole.set(holder, marshalled(servers.set(name, marshalled(e.members()))))
	after := indented(whole)
	if bytes.Equal(bytes.TrimSpace(before), bytes.TrimSpace(after)) {
		a.say("%s has the entry already.\n", file)
		return nil
	}
	a.say("%s:\n", file)
	for _, line := range difference(textLines(before), textLines(after)) {
		a.say("%s\n", line)
	}
	if err := replaceFile(file, after); err != nil {
		return failed("%s: %w", file, err)
	}
	a.say("Written. Restart the host.\n")
	return nil
}

// replaceFile writes a file as a whole and keeps its permissions. Only the owner can
// read a new file.
func replaceFile(file string, content []byte) error {
	if to, err := filepath.EvalSymlinks(file); err == nil {
		file = to
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if st, err := os.Stat(file); err == nil {
		mode = st.Mode().Perm()
	}
	t, err := os.CreateTemp(filepath.Dir(file), ".stile-*")
	if err != nil {
		return err
	}
	_, err = t.Write(content)
	err = errors.Join(err, t.Chmod(mode), t.Close())
	if err == nil {
		err = os.Rename(t.Name(), file)
	}
	if err != nil {
		_ = os.Remove(t.Name())
	}
	return err
}

func (a *app) printIndented(o object) error {
	a.say("%s", raw(indented(o)))
	return nil
}

func indented(o object) []byte {
	var b bytes.Buffer
	_ = json.Indent(&b, marshalled(o), "", "  ")
	b.WriteByte('\n')
	return b.Bytes()
}

func textLines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// difference gives the removed (-) and added (+) lines between the common beginning
// and the common end, with a few lines around them.
func difference(before, after []string) []string {
	const around = 2
	start := 0
	for start < len(before) && start < len(after) && before[start] == after[start] {
		start++
	}
	end := 0
	for end < len(before)-start && end < len(after)-start && before[len(before)-1-end] == after[len(after)-1-end] {
		end++
	}
	var out []string
	add := func(sign string, lines []string) {
		for _, l := range lines {
			out = append(out, sign+l)
		}
	}
	add("  ", before[max(0, start-around):start])
	add("- ", before[start:len(before)-end])
	add("+ ", after[start:len(after)-end])
	add("  ", after[len(after)-end:min(len(after), len(after)-end+around)])
	return out
}
