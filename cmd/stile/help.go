package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// The width of the help, in columns: that of the terminal between the bounds,
// and the default where there is no terminal.
const (
	minWidth     = 40
	maxWidth     = 100
	defaultWidth = 80
)

// columns is the width of the terminal at standard output; 0 if there is none.
func columns() int {
	w, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// width is the width of the help.
func (a *app) width() int {
	w := 0
	if a.columns != nil {
		w = a.columns()
	}
	if w <= 0 {
		w, _ = strconv.Atoi(a.getenv("COLUMNS"))
	}
	if w <= 0 {
		w = defaultWidth
	}
	return min(max(w, minWidth), maxWidth)
}

// printHelp prints the help of a command, wrapped.
func (a *app) printHelp(c *cobra.Command) {
	width := a.width()
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	const exit = "Exit status:"
	text, more, _ := strings.Cut(text, "\n\n"+exit) // is looked up, not read first
	var b strings.Builder
	b.WriteString(wrap(text, width))
	section := func(title, body string) {
		if body = strings.TrimRight(body, "\n"); body != "" {
			fmt.Fprintf(&b, "\n%s\n%s\n", title, body)
		}
	}
	var lines []string
	if c.HasParent() && c.Runnable() && strings.Contains(c.Use, " ") || !c.HasAvailableSubCommands() {
		lines = append(lines, "  "+c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		lines = append(lines, "  "+c.CommandPath()+" COMMAND")
	}
	section("Usage:", strings.Join(lines, "\n"))
	section("Examples:", c.Example)
	for _, g := range c.Groups() {
		section(g.Title, commandList(c, g.ID, width))
	}
	if c.HasAvailableSubCommands() {
		title := "Commands:"
		if len(c.Groups()) > 0 {
			title = "Other commands:"
		}
		section(title, commandList(c, "", width))
	}
	section("Flags:", flagList(c.LocalFlags(), "", width))
	for _, g := range flagGroups {
		section(g, flagList(c.LocalFlags(), g, width))
	}
	section("Flags of every command:", flagList(c.InheritedFlags(), "", width))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%q explains a command.\n", c.CommandPath()+" COMMAND --help")
	}
	if more != "" {
		b.WriteString("\n" + wrap(exit+more, width))
	}
	a.say("%s", raw(b.String()))
}

// commandList lists the commands of one group.
func commandList(c *cobra.Command, group string, width int) string {
	var b strings.Builder
	for _, sub := range c.Commands() {
		if sub.GroupID == group && (sub.IsAvailableCommand() || sub.Name() == "help") {
			b.WriteString(wrap(fmt.Sprintf("  %-*s  %s", c.Commands()[0].NamePadding(), sub.Name(), sub.Short), width))
		}
	}
	return b.String()
}

// The groups of flags in the help. A flag without a group is listed first.
const (
	flagsRemote  = "Flags of mcp-remote:"
	flagsClient  = "Flags for the client and its issuer:"
	flagsNetwork = "Flags for the network:"
	flagsStore   = "Flags for the store:"
)

var flagGroups = []string{flagsRemote, flagsClient, flagsNetwork, flagsStore}

const flagGroup = "group"

// grouped puts the flags that add adds into a group, unless they are in one.
func grouped(fl *pflag.FlagSet, group string, add func()) {
	known := map[string]bool{}
	fl.VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	add()
	fl.VisitAll(func(f *pflag.Flag) {
		if !known[f.Name] && f.Annotations[flagGroup] == nil {
			_ = fl.SetAnnotation(f.Name, flagGroup, []string{group})
		}
	})
}

// flagList lists the flags of a group: their names, their value and what they do. On a narrow
// terminal, and after a long name, the text begins on the next line.
func flagList(flags *pflag.FlagSet, group string, width int) string {
	var names, texts []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || group != "" && !slices.Contains(f.Annotations[flagGroup], group) || group == "" && f.Annotations[flagGroup] != nil {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		name := "      --" + f.Name
		if f.Shorthand != "" {
			name = "  -" + f.Shorthand + ", --" + f.Name
		}
		if value != "" {
			name += " " + value
		}
		if d := f.DefValue; !slices.Contains([]string{"", "0", "0s", "false", "[]"}, d) {
			text += " (default " + strings.Trim(d, "[]") + ")"
		}
		names, texts = append(names, name), append(texts, text)
	})
	column := 0
	for _, n := range names {
		if len(n) <= maxName {
			column = max(column, len(n))
		}
	}
	if width < 2*maxName {
		column = 8
	}
	var b strings.Builder
	indent := strings.Repeat(" ", column+2)
	for i, n := range names {
		if len(n) > column {
			b.WriteString(n + "\n" + wrap(indent+texts[i], width))
			continue
		}
		// The blanks make the first word of wrap's second column.
		b.WriteString(wrap(fmt.Sprintf("%-*s  %s", column, n, texts[i]), width))
	}
	return b.String()
}

// maxName is the longest name of a flag, with its value, that has the text on the same
// line.
const maxName = 30

// wrap breaks text at width columns. It first joins the lines of one paragraph. A line
// that begins with a blank is a paragraph of its own; if it has a second column, its
// further lines are indented to that column.
func wrap(text string, width int) string {
	var b strings.Builder
	var words []string
	indent, hang := "", ""
	flush := func() {
		if words == nil {
			return
		}
		line := indent + words[0]
		for _, w := range words[1:] {
			if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > width {
				b.WriteString(line + "\n")
				line = hang + w
				continue
			}
			line += " " + w
		}
		b.WriteString(line + "\n")
		words, indent, hang = nil, "", ""
	}
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case strings.TrimSpace(line) == "":
			flush()
			b.WriteString("\n")
		case strings.HasPrefix(line, " "):
			flush()
			body := strings.TrimLeft(line, " ")
			indent = line[:len(line)-len(body)]
			hang = indent
			if first, second, ok := strings.Cut(body, "  "); ok {
				second = strings.TrimLeft(second, " ")
				column := utf8.RuneCountInString(line) - utf8.RuneCountInString(second)
				hang = strings.Repeat(" ", column)
				// The gap between the columns is kept as part of the first word.
				gap := column - utf8.RuneCountInString(indent+first)
				fields := strings.Fields(second)
				words = append([]string{first + strings.Repeat(" ", gap) + fields[0]}, fields[1:]...)
				continue
			}
			words = strings.Fields(body)
		default:
			words = append(words, strings.Fields(line)...)
		}
	}
	flush()
	return b.String()
}

// newHelp makes the command "help".
func newHelp(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		ValidArgsFunction: func(c *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
			at, _, err := c.Root().Find(given)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range at.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name()+"\t"+sub.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, given []string) error {
			at, rest, err := c.Root().Find(given)
			if err == nil && len(rest) > 0 {
				err = unknownCommand(at, rest[0])
			}
			if err != nil {
				return err
			}
			a.printHelp(at)
			return nil
		},
	}
}
