package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// takes checks the number of arguments: each name stands for one argument, and those
// in brackets may be left out.
func takes(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		problem := ""
		switch {
		case len(given) > len(names):
			problem = fmt.Sprintf("unexpected argument %q", given[len(names)])
		case len(given) < len(names) && !strings.HasPrefix(names[len(given)], "["):
			problem = "missing argument " + names[len(given)]
		default:
			return nil
		}
		return &failure{code: exitUsage, err: errors.New(problem), advice: "usage: " + c.UseLine() + " (" + c.CommandPath() + " --help explains it)"}
	}
}

// subcommand is the check for a command that only has subcommands: an argument
// is a subcommand that does not exist.
func subcommand(c *cobra.Command, given []string) error {
	if len(given) == 0 {
		return nil
	}
	return unknownCommand(c, given[0])
}

// noSubcommand finds in a request for help the name of a subcommand that does not exist.
func noSubcommand(c *cobra.Command) string {
	given := c.Flags().Args()
	if len(given) == 0 || !c.HasAvailableSubCommands() || strings.Contains(given[0], "://") || meantAddress(given[0]) != "" {
		return ""
	}
	return given[0]
}

// unknownCommand says that c has no subcommand of this name, and suggests those
// with a similar spelling.
func unknownCommand(c *cobra.Command, name string) error {
	var near []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && isNear(name, sub.Name()) {
			near = append(near, c.CommandPath()+" "+sub.Name())
		}
	}
	return &failure{
		code: exitUsage, err: fmt.Errorf("unknown command %q", c.CommandPath()+" "+name),
		advice: suggestion(near, c.CommandPath()+" --help lists the commands"),
	}
}

// wrongFlag explains what cobra's parser found wrong with the flags of a command.
func wrongFlag(c *cobra.Command, err error) error {
	var near []string
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && isNear(unknown.GetSpecifiedName(), f.Name) {
				near = append(near, "--"+f.Name)
			}
		})
	}
	var wrong *pflag.InvalidValueError
	if errors.As(err, &wrong) {
		if kind := kinds[wrong.GetFlag().Value.Type()]; kind != "" {
			err = fmt.Errorf("--%s: %q is not %s", wrong.GetFlag().Name, wrong.GetValue(), kind)
		}
	}
	return &failure{code: exitUsage, err: err, advice: suggestion(near, c.CommandPath()+" --help lists the flags")}
}

// kinds names the values that the types of flags take.
var kinds = map[string]string{
	"float64": "a number", "int": "a whole number", "uint": "a whole number", "bool": "true or false",
	"duration": "a duration, such as 30s or 5m",
}

// suggestion is the advice, with known names whose spelling is near the unknown one.
func suggestion(near []string, help string) string {
	if len(near) == 0 {
		return help
	}
	return "did you mean " + strings.Join(near, " or ") + "? " + help
}

// isNear reports whether the user may have meant name: typed is its beginning, or
// differs from it by one letter, or by two if the name is long.
func isNear(typed, name string) bool {
	if len(typed) > 2 && strings.HasPrefix(name, typed) {
		return true
	}
	allowed := 1
	if len(name) > 4 {
		allowed = 2
	}
	return edits(typed, name) <= allowed
}

// edits is the number of insertions, deletions, replacements and swaps of
// neighbouring letters that turn a into b.
func edits(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := d[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
