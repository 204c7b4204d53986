package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

// The groups of commands in the help.
const (
	groupUse    = "use"
	groupStore  = "store"
	groupServe  = "serve"
	groupEngine = "engine"
)

// newRoot makes the command tree. A new command is a file with a function like
// newLogin, and a line here.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "stile",
		Short: "Log in to protected MCP servers, and see how it goes",
		Long: `Stile is an OAuth 2.1 client for the Model Context Protocol (MCP): it finds out
who protects a server, registers, sends you to a browser once, and keeps the
token fresh from then on, for this and for other programs.

` + exitHelp + `

Environment:
  STILE_STORE          where credentials are kept, as --store has it
  STILE_CLIENT_SECRET  the secret of --client-id
  STILE_PASSPHRASE     the passphrase of a store that is sealed with one
  STILE_TRACE          directory for a trace of every run, as --trace has it
  NO_COLOR             when not empty, no colours`,
		Example: `  stile demo
  stile login https://mcp.example/mcp
  stile tools https://mcp.example/mcp
  stile token https://mcp.example/mcp | sed 's/^/Authorization: Bearer /' | curl -H @- https://mcp.example/mcp`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, one value on a line; errors too, on standard error")
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "show the states of the machine as they pass, on standard error")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &failure{code: exitUsage, err: err, advice: "see stile --help"}
	})
	root.AddGroup(
		&cobra.Group{ID: groupUse, Title: "Use a server:"},
		&cobra.Group{ID: groupStore, Title: "Look after credentials:"},
		&cobra.Group{ID: groupServe, Title: "Servers for development:"},
		&cobra.Group{ID: groupEngine, Title: "The machine:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupUse, newDemo(a), newLogin(a), newLogout(a), newStatus(a), newToken(a), newTools(a), newCall(a))
	add(groupUse, newAudit(a))
	add(groupStore, newStore(a))
	add(groupServe, newServe(a))
	add(groupEngine, newDraw(a), newRules(a), newReplay(a), newExplain(a), newTrace(a), newExplore(a), newEngine(a))
	root.AddCommand(newDocs(a))
	return root
}

// run is main with its surroundings as arguments; it gives the exit status.
func run(ctx context.Context, args []string, a *app) int {
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var quiet *silent
	if errors.As(err, &quiet) {
		return quiet.code
	}
	var own *failure
	if !errors.As(err, &own) && misused(err) {
		err = &failure{code: exitUsage, err: err, advice: "see stile --help"}
	}
	return a.report(err)
}

// misused recognises what cobra finds wrong with arguments: its errors have no
// type.
func misused(err error) bool {
	for _, head := range []string{
		"unknown command ", "unknown flag", "unknown shorthand", "accepts ", "requires at least", "requires at most",
		"invalid argument ", "required flag", "if any flags in the group",
	} {
		if strings.HasPrefix(err.Error(), head) {
			return true
		}
	}
	return false
}

// args wraps a check of arguments so that its failure is one of usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if err := check(c, given); err != nil {
			return &failure{code: exitUsage, err: err, advice: "usage: " + c.UseLine()}
		}
		return nil
	}
}
