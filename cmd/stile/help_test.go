package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// allCommands walks the command tree.
func allCommands(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		allCommands(sub, f)
	}
}

// The help of every command fits the terminal, and is never wider than 100
// columns. Examples are there to be copied and stay as they are.
func TestHelpFits(t *testing.T) {
	for columns, want := range map[int]int{50: 50, 80: 80, 100: 100, 250: 100, 0: 80} {
		c := newCLI(t)
		c.columns = columns
		allCommands(newRoot(c.app(nil, nil)), func(cmd *cobra.Command) {
			args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
			examples := map[string]bool{}
			for line := range strings.Lines(cmd.Example) {
				examples[strings.TrimSpace(line)] = true
				if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > maxWidth {
					t.Errorf("%s: an example is too wide: %q", cmd.CommandPath(), line)
				}
			}
			wide := 0
			for line := range strings.Lines(c.ok(args...).out) {
				line = strings.TrimRight(line, "\n")
				if n := utf8.RuneCountInString(line); !examples[strings.TrimSpace(line)] && n > wide {
					wide = n
				}
				if strings.HasSuffix(line, " ") {
					t.Errorf("%s: blanks at the end of %q", cmd.CommandPath(), line)
				}
			}
			// Flags keep a readable column beside their names.
			if wide > want && columns != 50 {
				t.Errorf("stile %s: %d columns on a terminal of %d", strings.Join(args, " "), wide, columns)
			}
		})
	}
}

func TestWrap(t *testing.T) {
	for _, x := range []struct{ name, in, out string }{
		{"a paragraph is filled", "one two\nthree four five\n\nsix", "one two three\nfour five\n\nsix\n"},
		{"a list hangs", "List:\n  a    one two three\n  bb   four", "List:\n  a    one two\n       three\n  bb   four\n"},
		{"an indented line keeps its indent", "  one two three", "  one two\n  three\n"},
	} {
		if got := wrap(x.in, 14); got != x.out {
			t.Errorf("%s: %q, want %q", x.name, got, x.out)
		}
	}
}

// help and --help print the same; a terminal's width may come from COLUMNS.
func TestHelpCommand(t *testing.T) {
	c := newCLI(t)
	c.env["COLUMNS"] = "60"
	if a, b := c.ok("help", "store", "list").out, c.ok("store", "list", "--help").out; a != b {
		t.Errorf("%s%s", a, b)
	}
	for line := range strings.Lines(c.ok("help").out) {
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 60 {
			t.Errorf("too wide: %q", line)
		}
	}
	contains(t, c.ok("__complete", "help", "").out, "login", "store")
}

// No help is wider than a terminal of 80 columns, examples included.
func TestHelpFitsATerminal(t *testing.T) {
	c := newCLI(t)
	c.env["COLUMNS"] = "80"
	n := 0
	var walk func(path ...string)
	walk = func(path ...string) {
		n++
		for line := range strings.Lines(c.ok(append(path, "--help")...).out) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
				t.Errorf("stile %s: too wide: %q", strings.Join(path, " "), line)
			}
		}
		if len(path) == 3 {
			return
		}
		for line := range strings.Lines(c.ok(append([]string{"__complete", "help"}, append(path, "")...)...).out) {
			if name, _, ok := strings.Cut(line, "\t"); ok && name != "help" {
				walk(append(path[:len(path):len(path)], name)...)
			}
		}
	}
	walk()
	if n < 30 {
		t.Errorf("only %d commands were looked at", n)
	}
}

// The version is one line, and an object with --json.
func TestVersion(t *testing.T) {
	c := newCLI(t)
	contains(t, c.ok("version").out, "stile ", "go1.")
	if a, b := c.ok("version").out, c.ok("--version").out; a != b || strings.Count(a, "\n") != 1 {
		t.Errorf("%q, %q", a, b)
	}
	v := decode[struct{ Version, Go, Platform string }](t, c.ok("version", "--json").out)
	if v.Version == "" || !strings.HasPrefix(v.Go, "go1.") || !strings.Contains(v.Platform, "/") {
		t.Errorf("%+v", v)
	}
}
