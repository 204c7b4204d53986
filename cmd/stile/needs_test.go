package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Each flag of each command that needs another one is refused without it, or beside the one
// that takes its effect away, before anything is sent or written.
func TestFlagsWithoutEffect(t *testing.T) {
	tried := 0
	for _, c := range commands(newRoot(newCLI(t).app(nil, nil))) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			for _, what := range f.Annotations[flagNeeds] {
				tried++
				args := append(strings.Fields(strings.TrimPrefix(c.CommandPath(), "stile ")), written(f, ""))
				if other, not := strings.CutPrefix(what, "!"); not {
					name, values, _ := strings.Cut(other, "=")
					beside := c.Flags().Lookup(name)
					if beside == nil {
						t.Errorf("%s: --%s has a need of --%s, which does not exist", c.CommandPath(), f.Name, name)
						continue
					}
					value, _, _ := strings.Cut(values, ",")
					args = append(args, written(beside, value))
				}
				if name, _, valued := strings.Cut(what, "="); valued && what[0] != '!' {
					args = append(args, "--"+name+"=another") // the default may be one of the values
				}
				for _, arg := range strings.Fields(regexp.MustCompile(` (--|\[).*`).ReplaceAllString(c.Use, ""))[1:] {
					args = append(args, strings.NewReplacer("URL", "http://127.0.0.1:1/mcp", "ISSUER", "http://127.0.0.1:1").Replace(arg))
				}
				r := newCLI(t).run(args...)
				if r.code != exitUsage || !strings.Contains(r.err, "has no effect with") || !strings.Contains(r.err, "what to do") {
					t.Errorf("stile %s: exit status %d\n%s", strings.Join(args, " "), r.code, r.err)
				}
			}
		})
	}
	if tried < 50 {
		t.Errorf("only %d needs were tried", tried)
	}
}

// A flag whose help says that it goes with another one is refused without it.
func TestHelpNamesNeeds(t *testing.T) {
	with := regexp.MustCompile(`(?:^|\()with --([a-z-]+)(?: ([a-z]+))?(?:[:)]| and )`)
	said := 0
	for _, c := range commands(newRoot(newCLI(t).app(nil, nil))) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			m := with.FindStringSubmatch(f.Usage)
			if m == nil {
				return
			}
			said++
			need := m[1]
			if m[2] != "" && m[2] != "and" {
				need += "=" + m[2]
			}
			if !slices.Contains(f.Annotations[flagNeeds], need) {
				t.Errorf("%s: --%s goes with %s, and is taken without it", c.CommandPath(), f.Name, need)
			}
		})
	}
	if said < 10 {
		t.Errorf("only %d flags name what they go with", said)
	}
}

// What a flag is refused without is enough, and false is as if the flag were not there.
func TestFlagsWithEffect(t *testing.T) {
	const server = "http://127.0.0.1:1/mcp"
	for _, args := range []string{
		"audit " + server + " --slow=false --plan",
		"audit " + server + " --client-id x --client-secret-file x --active --plan",
		"audit " + server + " --login --as-user x --as-second-user y --plan",
		"audit " + server + " --login --cc-client x --idp https://idp.example --idp-key-file x --idp-subject y --plan",
		"bridge config cursor https://mcp.example/mcp -- --grant enterprise --idp https://idp.example --idp-client-id x --client-id y --issuer https://as.example",
		"bridge config cursor https://mcp.example/mcp -- --device-code --authorize-param a=b",
	} {
		newCLI(t).ok(strings.Fields(args)...)
	}
	contains(t, newCLI(t).exit(exitUsage, "bridge", "config", "cursor", "https://mcp.example/mcp", "--", "--idp", "https://idp.example").err, "--idp has no effect without --grant enterprise")
}

// written is a flag on a command line.
func written(f *pflag.Flag, value string) string {
	if value == "" {
		value = map[string]string{"bool": "true", "int": "7", "stringArray": "x=y", "stringSlice": "x"}[f.Value.Type()]
	}
	if value == "" {
		value = "x"
	}
	return "--" + f.Name + "=" + value
}

// commands are a command and all below it.
func commands(c *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		out = append(out, commands(sub)...)
	}
	return out
}
