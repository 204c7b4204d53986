package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states/wire"
)

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
changes in the file, and changes it; the rest of the file stays as it is, with its
comments. An entry for the same server is replaced, and keeps its other members, such
as env. An entry for another server is never replaced. In a file of TOML (codex), the
command only adds an entry.

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
			canonical, err := canonicalServer(given[1])
			if err != nil {
				return err
			}
			if err := a.checkForBridge(given[1], given[2:]); err != nil {
				return err
			}
			if command == "" {
				command = h.command()
			}
			if name == "" {
				name = entryName(canonical.String())
			}
			e := entry{Command: command, Args: append([]string{"bridge", given[1]}, given[2:]...), more: h.more}
			switch {
			case !write && h.toml:
				a.say("%s", raw(e.toml(name)))
				return nil
			case !write:
				return a.printIndented(object{{h.member, marshalled(object{{name, marshalled(e.members())}})}})
			}
			if file == "" {
				if file, err = h.file(); err != nil {
					return err
				}
			}
			return a.writeEntry(file, h, name, e)
		},
	}
	fl := c.Flags()
	fl.StringVar(&name, "name", "", "the `NAME` of the server in the host (default: from URL)")
	fl.StringVar(&command, "command", "", "the `COMMAND` that starts stile (default: the path of this program; stile in a file that a project shares)")
	fl.StringVar(&file, "file", "", "the `FILE` of the host, if it is not in its usual place")
	fl.BoolVar(&write, "write", false, "show what changes in the file of the host, and write it")
	needs(fl, "write", "file")
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) && bridgeFlagSet(&bridgeFlags{}).Lookup(unknown.GetSpecifiedName()) != nil {
			return &failure{code: exitUsage, err: err, advice: "put the bridge's flags after --: stile bridge config HOST URL -- --" + unknown.GetSpecifiedName() + " …"}
		}
		return wrongFlag(c, err)
	})
	return c
}

// bridgeFlagSet is the flags that stile bridge takes.
func bridgeFlagSet(f *bridgeFlags) *pflag.FlagSet {
	c := &cobra.Command{Use: "bridge"}
	f.add(c)
	c.Flags().Bool("json", false, "")
	c.Flags().BoolP("verbose", "v", false, "")
	return c.Flags()
}

// checkForBridge refuses an address and flags that the bridge would refuse. The host starts
// the bridge in another environment: each variable counts as set.
func (a *app) checkForBridge(server string, given []string) error {
	f := bridgeFlags{}
	flags := bridgeFlagSet(&f)
	if err := flags.Parse(given); err != nil {
		return &failure{code: exitUsage, err: err, advice: "stile bridge --help lists the flags"}
	}
	if err := unheeded(flags); err != nil {
		return err
	}
	switch rest := flags.Args(); len(rest) {
	case 0:
	case 1:
		f.port = rest[0]
	default:
		return usage("unexpected argument %q", rest[1])
	}
	f.silent = true
	there := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, getenv: func(name string) string {
		return cmp.Or(a.getenv(name), "unknown")
	}}
	if err := f.check(there, server); err != nil {
		return err
	}
	if _, err := f.headers(there); err != nil {
		return err
	}
	return f.policy(there, &httpdriver.Policy{})
}

// entry is how a host starts the bridge.
type entry struct {
	Command string
	Args    []string
	more    map[string]any
}

// server is the address in the arguments of an entry, whatever command it starts; "" if
// there is none.
func (e entry) server() string {
	for _, arg := range e.Args {
		if u, err := wire.CanonicalServer(arg); err == nil {
			return u.String()
		}
	}
	return ""
}

// toml is the entry for a host that reads TOML.
func (e entry) toml(name string) string {
	return fmt.Sprintf("[mcp_servers.%s]\ncommand = %s\nargs = %s\n", marshalled(name), marshalled(e.Command), marshalled(e.Args))
}

func (e entry) members() object {
	var o object
	for name, v := range e.more {
		o = append(o, member{name, marshalled(v)})
	}
	return append(o, member{"command", marshalled(e.Command)}, member{"args", marshalled(e.Args)})
}
