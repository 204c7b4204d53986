package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/explore"
)

// exploreSlice is how many situations are gone on from between two looks at
// the progress, and at whether anybody still waits.
const exploreSlice = 2000

func newExplore(a *app) *cobra.Command {
	var world string
	var bound, trouble int
	var watched []string
	c := &cobra.Command{
		Use:   "explore",
		Short: "Walk the situations the machine can reach, and check what must hold",
		Long: `Walks every situation that the machine can reach in one of the worlds, or in all,
breadth first, and holds the invariants of docs/exploration.md against every
step. A violation prints the shortest way to it, as a script for
testdata/scripts, and the exit status is 1. Nothing is sent and nothing is
stored: servers, store and clock are made up.`,
		Example: `  stile explore --world pair --bound 100000
  stile explore --world closed --trouble 2 --invariant refresh-no-overlap`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			worlds := explore.Worlds()
			if world != "all" {
				if !slices.Contains(worlds, world) {
					return usage("--world: %q is none of %s, all", world, strings.Join(worlds, ", "))
				}
				worlds = []string{world}
			}
			if bound < 1 || trouble < 0 {
				return usage("--bound is at least 1, --trouble at least 0")
			}
			if trouble == 0 {
				trouble = -1 // none at all
			}
			broken := 0
			for _, w := range worlds {
				n, err := a.explore(c, explore.Options{World: w, Situations: bound, Trouble: trouble, Only: watched})
				if err != nil {
					return err
				}
				broken += n
			}
			if broken > 0 {
				return failed("%d violations", broken)
			}
			return nil
		},
	}
	fl := c.Flags()
	fl.StringVar(&world, "world", "all", strings.Join(explore.Worlds(), ", ")+" or all")
	fl.IntVar(&bound, "bound", 50000, "the most situations of a world")
	fl.IntVar(&trouble, "trouble", 1, "how many things may go wrong on one way")
	fl.StringArrayVar(&watched, "invariant", nil, "watch this invariant only (may be repeated)")
	_ = c.RegisterFlagCompletionFunc("world", cobra.FixedCompletions(append(explore.Worlds(), "all"), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// explored is what is told of a walk as JSON.
type explored struct {
	explore.Summary
	Found []explore.Violation `json:"found"`
}

// explore walks through one world and gives the number of violations.
func (a *app) explore(c *cobra.Command, o explore.Options) (int, error) {
	x, err := explore.New(o)
	if err != nil {
		return 0, usage("%w", err)
	}
	for x.Run(exploreSlice) {
		if err := c.Context().Err(); err != nil {
			return 0, failed("interrupted after %d situations", x.Summary().Situations)
		}
		if s := x.Summary(); a.verbose || a.terminal(a.err) {
			a.note("%s: %d situations, %d steps, depth %d, %d of %d rows\n", s.World, s.Situations, s.Steps, s.Depth, s.Rows, s.Table)
		}
	}
	s, found := x.Summary(), x.Violations()
	broken := map[string]bool{}
	for _, v := range found {
		broken[v.Invariant] = true
	}
	err = a.result(explored{s, append([]explore.Violation{}, found...)}, func() {
		end := "stopped at the bound; " + plural(s.Ended, "beginning") + " walked to a fixed point, " + plural(s.Waiting+s.Dropped, "situation") + " not gone on from"
		if s.FixedPoint {
			end = "a fixed point: there is no further situation"
			if s.Dropped > 0 {
				end = "no further situation of a shape that was not seen; " + plural(s.Dropped, "situation") + " of known shapes left out"
			}
		}
		a.say("%s: %s from %s, %s of the machine, depth %d; %d of %d rows fired; %s hold\n  %s\n", s.World,
			plural(s.Situations, "situation"), plural(s.Beginnings, "beginning"), plural(s.Steps, "step"), s.Depth,
			s.Rows, s.Table, plural(s.Invariants-len(broken), "invariant"), end)
		for _, v := range found {
			a.say("\n%s (%s): %s\n%s", v.Invariant, v.Rule, v.Detail, raw(v.Script))
		}
	})
	return len(found), err
}
