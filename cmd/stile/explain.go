package main

import (
	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/trace"
)

func newExplain(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain TRACE",
		Short: "Say in plain words what happened in a trace, and whose fault it was",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, given []string) error {
			t, err := readSound(a, given[0])
			if err != nil {
				return err
			}
			e := trace.Explain(t)
			return a.result(e, func() { a.block(e.String()) })
		},
	}
}
