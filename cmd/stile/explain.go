package main

import (
	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/audit"
)

func newExplain(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain TRACE",
		Short: "Explain what happened in a trace, and whose fault it was",
		Long: `Explains a recorded run: what happened in which order, what failed first, whose fault
it was and what to do. The command also lists what the servers did wrong otherwise.
With -, it reads the trace from standard input.`,
		Args: takes("TRACE"),
		RunE: func(_ *cobra.Command, given []string) error {
			t, err := readSound(a, given[0])
			if err != nil {
				return err
			}
			e, err := audit.Explain(t)
			if err != nil {
				return failed("%v", err)
			}
			return a.result(e, func() { a.block(e.String()) })
		},
	}
}
