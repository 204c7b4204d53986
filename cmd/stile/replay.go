package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/trace"
)

func newReplay(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "replay TRACE",
		Short: "Run a trace again and compare the result",
		Long: `Runs the inputs of a trace through the machine of this release and compares the
result byte for byte. If something differs, the command shows both sides of the
first difference and the exit status is 1.`,
		Args: takes("TRACE"),
		RunE: func(_ *cobra.Command, given []string) error {
			t, err := readTrace(a, given[0])
			if err != nil {
				return err
			}
			d, err := trace.Replay(t)
			if err != nil {
				return unreadable("%s: %w", given[0], err)
			}
			v := struct {
				Same     bool   `json:"same"`
				Steps    int    `json:"steps"`
				Step     int    `json:"differs_at,omitempty"`
				Recorded string `json:"recorded,omitempty"`
				Replayed string `json:"replayed,omitempty"`
				Refused  string `json:"refused,omitempty"`
				Table    string `json:"recorded_with_table,omitempty"`
				// Converted says how a trace of an older format was converted.
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
