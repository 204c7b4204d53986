package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/trace"
)

func newReplay(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "replay TRACE",
		Short: "Run a trace again and compare, byte for byte",
		Long: `Runs the inputs of a trace through the machine of this release. Exit status 0
means that the same bytes came out; else the first difference is shown, with both
sides.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, given []string) error {
			t, err := readTrace(a, given[0])
			if err != nil {
				return err
			}
			d, err := trace.Replay(t)
			if err != nil {
				return failed("%s: %w", given[0], err)
			}
			v := struct {
				Same     bool   `json:"same"`
				Steps    int    `json:"steps"`
				Step     int    `json:"differs_at,omitempty"`
				Recorded string `json:"recorded,omitempty"`
				Replayed string `json:"replayed,omitempty"`
				Refused  string `json:"refused,omitempty"`
				Table    string `json:"recorded_with_table,omitempty"`
				// Converted is what was done to the file on its way.
				Converted []string `json:"converted,omitempty"`
			}{d.Same(), len(t.Steps), d.Step, string(d.Recorded), string(d.Replayed), d.Refused, d.Table, t.Converted}
			if err := a.result(v, func() { a.block(fmt.Sprintf("%d steps: %s", len(t.Steps), d)) }); err != nil {
				return err
			}
			if !d.Same() {
				return failed("the replay differs at step %d", d.Step)
			}
			return nil
		},
	}
}
