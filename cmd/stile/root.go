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
	var printVersion bool
	root := &cobra.Command{
		Use:   "stile",
		Short: "Log in to protected MCP servers and use them",
		Long: `Stile is an OAuth 2.1 client for the Model Context Protocol (MCP). It finds out
which issuer protects a server, registers a client there, sends you to a browser
once, and from then on keeps the token fresh, for its own commands and for all
programs that share the store.

` + exitHelp + `

Environment:
  STILE_STORE          where credentials are kept, as with --store
  STILE_CLIENT_SECRET  the secret that belongs to --client-id
  STILE_CLIENT_KEY     the private key that belongs to --client-id, in PEM or JWK form
  STILE_PASSPHRASE     the passphrase of a store that is sealed with one
  STILE_TRACE          a directory for traces, as with --trace
  NO_COLOR             turns colours off unless it is empty`,
		Example: `  stile demo
  stile login https://mcp.example/mcp
  stile tools https://mcp.example/mcp
  stile token https://mcp.example/mcp`,
		// A command that had a PersistentPreRunE of its own would have to do this itself.
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return unheeded(c.Flags()) },
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              subcommand,
		RunE: func(c *cobra.Command, _ []string) error {
			if printVersion {
				return a.printVersion()
			}
			return c.Help()
		},
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.Flags().BoolVar(&printVersion, "version", false, "print the version, as stile version does")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, one value per line; errors too, on standard error")
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "show each state that the machine enters, on standard error")
	root.PersistentFlags().BoolP("help", "h", false, "explain the command")
	root.SetFlagErrorFunc(wrongFlag)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		if name := noSubcommand(c); name != "" {
			a.helped = unknownCommand(c, name)
			return
		}
		a.printHelp(c)
	})
	root.SetHelpCommand(newHelp(a))
	root.AddGroup(
		&cobra.Group{ID: groupUse, Title: "Use a server:"},
		&cobra.Group{ID: groupStore, Title: "Manage credentials:"},
		&cobra.Group{ID: groupServe, Title: "Serve, for development:"},
		&cobra.Group{ID: groupEngine, Title: "Look into the machine:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupUse, newDemo(a), newLogin(a), newLogout(a), newStatus(a), newToken(a), newTools(a), newCall(a), newBridge(a))
	add(groupUse, newAudit(a))
	add(groupStore, newStore(a))
	add(groupServe, newServe(a), newClientMetadata(a))
	add(groupEngine, newDraw(a), newRules(a), newReplay(a), newExplain(a), newTrace(a), newExplore(a), newEngine(a))
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newCompletion(a), newVersion(a))
	root.AddCommand(pageWriters(a)...)
	a.completeServers(root)
	return root
}

// run is main with its environment as an argument; it returns the exit status.
func run(ctx context.Context, args []string, a *app) int {
	writeFailed := a.streams(ctx)
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = a.helped
	}
	if full := writeFailed(); full != nil && (err == nil || errors.Is(err, full)) {
		err = failed("standard output cannot be written: %w", full)
	}
	if err == nil {
		return exitOK
	}
	var quiet *silent
	if errors.As(err, &quiet) {
		return quiet.code
	}
	var own *failure
	if !errors.As(err, &own) && misused(err) {
		err = &failure{code: exitUsage, err: err, advice: "stile --help lists the commands and flags"}
	}
	return a.report(err)
}

// misused recognises usage errors of cobra that none of our functions has handled.
// These errors have no type.
func misused(err error) bool {
	for _, start := range []string{"unknown command ", "accepts ", "invalid argument ", "required flag"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}
