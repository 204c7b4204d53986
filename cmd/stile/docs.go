package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// commandsPage is where the page of the commands is, below the docs directory.
const commandsPage = "commands.md"

// newDocs makes the hidden command that writes docs/commands.md.
func newDocs(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "docs DIR",
		Short:  "Write the page of the commands into DIR",
		Hidden: true,
		Args:   takes("DIR"),
		RunE: func(c *cobra.Command, given []string) error {
			page, err := commandsMarkdown(c.Root())
			if err != nil {
				return err
			}
			path := filepath.Join(given[0], commandsPage)
			if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, page) {
				return nil
			}
			if err := os.WriteFile(path, page, 0o644); err != nil { //nolint:gosec // a page of documentation
				return err
			}
			a.say("wrote %s\n", path)
			return nil
		},
	}
}

// commandsMarkdown is one page of all commands, in the order of the help.
func commandsMarkdown(root *cobra.Command) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# The commands of stile\n\nMade from the commands themselves (`go run ./cmd/stile docs docs`); do not edit.\n\n")
	var all []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" {
			return
		}
		all = append(all, c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	for _, c := range all {
		fmt.Fprintf(&b, "- [`%s`](#%s): %s\n", c.CommandPath(), anchor(c), c.Short)
	}
	b.WriteString("\n")
	for _, c := range all {
		if err := section(&b, c); err != nil {
			return nil, err
		}
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n'), nil
}

func anchor(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// section writes what cobra says about a command, without its list of links, because
// the page has its own list.
func section(w io.Writer, c *cobra.Command) error {
	var b bytes.Buffer
	if err := doc.GenMarkdownCustom(c, &b, func(string) string { return "#" }); err != nil {
		return err
	}
	text, _, _ := strings.Cut(b.String(), "### SEE ALSO")
	// Trailing blanks of flags without a default are noise in diffs.
	lines := strings.Split(text, "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "###### Auto generated") })
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n"))
	return err
}
