// Command mcpb packs a binary of stile as an MCP bundle: a zip file that a desktop
// host installs with one click. It contains the binary, the licences, and a
// manifest.json that asks the user for the server's address and starts `stile bridge`.
// The same input gives the same bytes.
//
//	mcpb -binary dist/stile -os linux -version 1.4.0 -time 2026-11-29T12:00:00Z -o stile.mcpb LICENSE NOTICES.txt
package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// platforms are the names of operating systems in a manifest.
var platforms = map[string]string{"linux": "linux", "darwin": "darwin", "windows": "win32"}

// manifest is the part of MCPB's manifest 0.3 that a bundle of one binary needs
// (https://github.com/modelcontextprotocol/mcpb/blob/main/MANIFEST.md).
type manifest struct {
	ManifestVersion string               `json:"manifest_version"`
	Name            string               `json:"name"`
	DisplayName     string               `json:"display_name"`
	Version         string               `json:"version"`
	Description     string               `json:"description"`
	LongDescription string               `json:"long_description"`
	Author          named                `json:"author"`
	Repository      link                 `json:"repository"`
	Documentation   string               `json:"documentation"`
	License         string               `json:"license"`
	Keywords        []string             `json:"keywords"`
	Server          server               `json:"server"`
	ToolsGenerated  bool                 `json:"tools_generated"`
	UserConfig      map[string]parameter `json:"user_config"`
	Compatibility   compatibility        `json:"compatibility"`
}

type named struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type link struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

type server struct {
	Type       string `json:"type"`
	EntryPoint string `json:"entry_point"`
	Config     launch `json:"mcp_config"`
}

type launch struct {
	Command string            `json:"command"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env"`
}

type parameter struct {
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Required    bool   `json:"required"`
}

type compatibility struct {
	Platforms []string `json:"platforms"`
}

func main() {
	var (
		binary  = flag.String("binary", "", "the binary")
		system  = flag.String("os", "", "its operating system, as Go names it")
		version = flag.String("version", "", "the version")
		stamp   = flag.String("time", "", "the time of the files within (RFC 3339)")
		out     = flag.String("o", "", "the bundle to write")
	)
	flag.Parse()
	bundle, err := pack(*binary, *system, *version, *stamp, flag.Args())
	if err == nil {
		err = os.WriteFile(*out, bundle, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mcpb:", err)
		os.Exit(1)
	}
}

func pack(binary, system, version, stamp string, beside []string) ([]byte, error) {
	platform, ok := platforms[system]
	if !ok {
		return nil, fmt.Errorf("no platform %q in a manifest", system)
	}
	if version == "" {
		return nil, errors.New("no version")
	}
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return nil, err
	}
	entry := "server/" + filepath.Base(binary)
	text, err := json.MarshalIndent(describe(entry, platform, version), "", "  ")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, mode os.FileMode, content []byte) error {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at.UTC()}
		h.SetMode(mode)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	}
	if err := add("manifest.json", 0o644, append(text, '\n')); err != nil {
		return nil, err
	}
	for _, name := range append([]string{binary}, beside...) {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		inside, mode := filepath.Base(name), os.FileMode(0o644)
		if name == binary {
			inside, mode = entry, 0o755
		}
		if err := add(inside, mode, content); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func describe(entry, platform, version string) manifest {
	const home = "https://github.com/stile-oauth/stile"
	return manifest{
		ManifestVersion: "0.3",
		Name:            "stile-bridge",
		DisplayName:     "Stile bridge",
		Version:         version,
		Description:     "Connects to a remote MCP server that wants a login.",
		LongDescription: "Relays MCP between this host and a remote server. When the server asks for a login, your browser opens once; the login is kept, refreshed, and shared with the command stile.",
		Author:          named{"The authors of Stile", home},
		Repository:      link{"git", home},
		Documentation:   home + "/blob/main/docs/bridge.md",
		License:         "Apache-2.0",
		Keywords:        []string{"oauth", "remote", "bridge"},
		Server: server{"binary", entry, launch{
			Command: "${__dirname}/" + entry,
			Args:    []string{"bridge", "${user_config.url}"},
			Env:     map[string]string{},
		}},
		ToolsGenerated: true,
		UserConfig: map[string]parameter{"url": {
			Type: "string", Title: "Address of the MCP server", Description: "For example https://mcp.example/mcp", Required: true,
		}},
		Compatibility: compatibility{[]string{platform}},
	}
}
