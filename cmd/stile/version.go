package main

import (
	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver/version"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Prints the version of the module, the revision it was built from, and the version of Go. Include it in a bug report.",
		Args:  takes(),
		RunE:  func(*cobra.Command, []string) error { return a.printVersion() },
	}
}

func (a *app) printVersion() error {
	v := version.Get()
	return a.result(v, func() { a.say("%s\n", v.String()) })
}
