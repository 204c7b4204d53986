package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor/trap"
)

func newAuditClient(a *app) *cobra.Command {
	var f auditFlags
	var timeout time.Duration
	var env []string
	var list bool
	var logout, name string
	c := &cobra.Command{
		Use:   "client -- COMMAND [ARGUMENT...]",
		Short: "Find out what an MCP client does wrong with servers that break one rule at a time",
		Long: `Runs the command once or several times for each trap, with an MCP server and
authorization servers on loopback, and judges what it sends. In an argument, {url}
stands for the address of the MCP server; if no argument holds {url}, the address is
appended. The audit gives consent automatically: it opens the addresses that the
client opens in a browser, and the authorization addresses that the client prints.

Each trap has a home directory of its own, so that stored logins are not touched.
The command runs with your permissions: do not audit a client that you would not run.`,
		Example: `  stile audit client --logout "stile logout {url}" -- stile tools {url}
  stile audit client --only cl.iss-wrong -- npx mcp-remote {url}
  stile audit client --client mcp-remote
  stile audit client --list`,
		RunE: func(c *cobra.Command, given []string) error {
			traps, err := f.traps()
			if err != nil {
				return err
			}
			if list {
				for _, t := range traps {
					a.say("%-22s %-4s %s\n", t.ID, string(t.Severity), t.Does)
				}
				return nil
			}
			if len(given) == 0 && name == "" {
				return &failure{code: exitUsage, err: errors.New("there is no command to audit"), advice: "stile audit client -- my-client {url}"}
			}
			o := trap.Options{Command: given}
			if name != "" {
				if o, err = a.knownClient(c.Context(), name, given); err != nil {
					return err
				}
			}
			o.Env, o.Timeout = append(o.Env, env...), timeout
			if logout != "" {
				o.Logout = strings.Fields(logout)
			}
			progress := a.terminal(a.err) && !a.json
			n := 0
			if progress {
				o.Told = func(t audit.Trap) { n++; a.note("\r\x1b[K%d of %d: %s", n, len(traps), t.Does) }
			}
			all, err := trap.Run(c.Context(), traps, o)
			if progress {
				a.note("\r%s", raw("\x1b[K"))
			}
			if err != nil {
				return failed("the audit of the client was interrupted: %v", err)
			}
			return a.clientReport(all, &f)
		},
	}
	f.register(c)
	fl := c.Flags()
	fl.DurationVar(&timeout, "timeout", 20*time.Second, "how long one run of the command may take")
	fl.StringArrayVar(&env, "env", nil, "a variable for the command, NAME=VALUE (repeatable)")
	fl.StringVar(&name, "client", "", "a known client, instead of COMMAND; it is installed in the user's cache: "+strings.Join(clientNames(), ", "))
	_ = c.RegisterFlagCompletionFunc("client", cobra.FixedCompletions(clientNames(), cobra.ShellCompDirectiveNoFileComp))
	fl.StringVar(&logout, "logout", "", "the `COMMAND` that logs the client out, with {url} as above; without it the audit does not judge logging out")
	fl.BoolVar(&list, "list", false, "list the traps")
	return c
}

func clientNames() []string {
	var out []string
	for _, c := range trap.Clients() {
		out = append(out, c.Name)
	}
	return out
}

// knownClient installs a client that is known by name.
func (a *app) knownClient(ctx context.Context, name string, given []string) (trap.Options, error) {
	i := slices.Index(clientNames(), name)
	if i < 0 {
		return trap.Options{}, usage("--client: %q is not one of %s", name, strings.Join(clientNames(), ", "))
	}
	if len(given) > 0 {
		return trap.Options{}, usage("--client and a command cannot be combined")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return trap.Options{}, failed("--client: %v", err)
	}
	o, err := trap.Clients()[i].Prepare(ctx, filepath.Join(cache, "stile", "audit"))
	if err != nil {
		return trap.Options{}, failed("--client: %v", err)
	}
	return o, nil
}

// clientReport judges what a client did in the traps, and writes what was asked for.
func (a *app) clientReport(all []audit.Evidence, f *auditFlags) error {
	r := audit.JudgeClient(all)
	if err := f.accept(&r); err != nil {
		return err
	}
	shown, e := r, (*audit.Evidence)(nil)
	if f.format == "html" {
		joined, evidence := audit.Join(r, all)
		shown, e = joined, &evidence
	}
	changes, err := a.auditFiles(f, func() ([]byte, error) { return audit.MarshalClient(all) }, r, shown, e)
	if err != nil {
		return err
	}
	if len(r.Notes) > 0 {
		return &failure{code: exitUnreachable, see: "exit-5", err: fmt.Errorf("%s", r.Notes[0]), advice: "run the command by hand against stile serve as and stile serve rs first"}
	}
	return f.verdict(r, changes)
}
