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
	var bound, trouble, stalls int
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
			if bound < 1 || trouble < 0 || stalls < 0 {
				return usage("--bound is at least 1, --trouble and --stalls at least 0")
			}
			none := func(n int) int {
				if n == 0 {
					return -1 // explore.Options takes zero for one
				}
				return n
			}
			broken := 0
			for _, w := range worlds {
				n, err := a.explore(c, explore.Options{World: w, Situations: bound, Trouble: none(trouble), Stalls: none(stalls), Only: watched})
				if err != nil {
					return err
				}
				broken += n
			}
			if broken > 0 {
				return failed("%s", plural(broken, "violation"))
			}
			return nil
		},
	}
	fl := c.Flags()
	fl.StringVar(&world, "world", "all", strings.Join(explore.Worlds(), ", ")+" or all")
	fl.IntVar(&bound, "bound", 50000, "the most situations of a world")
	fl.IntVar(&trouble, "trouble", 1, "how many things may go wrong on one way")
	fl.IntVar(&stalls, "stalls", 1, "in the pair, how often everybody stands still while a lease or an exchange runs out")
	fl.StringArrayVar(&watched, "invariant", nil, "watch this invariant only (may be repeated)")
	_ = c.RegisterFlagCompletionFunc("world", cobra.FixedCompletions(append(explore.Worlds(), "all"), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// explored is what is told of a walk as JSON.
type explored struct {
	explore.Summary
	Found []explore.Violation `json:"found"`
}

// explore walks through one world and gives the number of violations. Who
// interrupts it is told what was found until then.
func (a *app) explore(c *cobra.Command, o explore.Options) (int, error) {
	x, err := explore.New(o)
	if err != nil {
		return 0, usage("%w", err)
	}
	var interrupted error
	for interrupted == nil && x.Run(exploreSlice) {
		if c.Context().Err() != nil {
			interrupted = failed("interrupted after %s of the %s world", plural(x.Summary().Situations, "situation"), o.World)
		}
		if s := x.Summary(); a.verbose || a.terminal(a.err) {
			a.note("%s: %s, %s, depth %d, %d of %d rows\n", s.World, plural(s.Situations, "situation"), plural(s.Steps, "step"), s.Depth, s.Rows, s.Table)
		}
	}
	s, found := x.Summary(), x.Violations()
	err = a.result(explored{s, append([]explore.Violation{}, found...)}, func() {
		a.tellWalk(s, found)
		for _, v := range found {
			a.say("\n%s (%s): %s\n%s", v.Invariant, v.Rule, v.Detail, raw(v.Script))
		}
	})
	if interrupted != nil && err == nil {
		if len(found) > 0 {
			interrupted = failed("%w; %s", interrupted, plural(len(found), "violation"))
		}
		err = interrupted
	}
	return len(found), err
}

// walksShown is how many beginnings are told of one by one.
const walksShown = 20

// tellWalk tells how far a walk came, as a whole and from each beginning.
func (a *app) tellWalk(s explore.Summary, found []explore.Violation) {
	broken := map[string]bool{}
	for _, v := range found {
		broken[v.Invariant] = true
	}
	holds := plural(s.Invariants-len(broken), "invariant") + " hold"
	if s.Invariants-len(broken) == 1 {
		holds += "s"
	}
	a.say("%s: %s from %s, %s of the machine and %s more on the way to rest; %d of %d rows fired, %d more on that way; %s\n", s.World,
		plural(s.Situations, "situation"), plural(s.Beginnings, "beginning"), plural(s.Steps, "step"), plural(s.Following, "step"),
		s.Rows, s.Table, s.Followed, holds)
	switch {
	case s.FixedPoint && s.Dropped > 0:
		a.say("  no further situation of a shape that was not seen; %s of known shapes left out\n", plural(s.Dropped, "situation"))
	case s.FixedPoint:
		a.say("  a fixed point: there is no further situation\n")
	case s.Stopped:
		a.say("  stopped at the violations; %s not gone on from\n", plural(s.Waiting+s.Dropped, "situation"))
	case s.Done:
		a.say("  stopped at the bound; %s walked to a fixed point, %s not gone on from\n", plural(s.Ended, "beginning"), plural(s.Waiting+s.Dropped, "situation"))
	default:
		a.say("  broken off; %s walked to a fixed point, %s not gone on from\n", plural(s.Ended, "beginning"), plural(s.Waiting+s.Dropped, "situation"))
	}
	if len(s.Walks) > walksShown && !a.verbose {
		a.say("  (-v tells of each beginning)\n")
		return
	}
	for _, b := range s.Walks {
		end := "complete to " + plural(b.Complete, "move")
		switch {
		case s.Dropped > 0:
			end = plural(b.Complete, "move") + " deep, but for the shapes left out"
		case b.FixedPoint:
			end = "a fixed point after " + plural(b.Depth, "move")
		}
		a.say("  %s: %s, %s\n", b.Name, plural(b.Situations, "situation"), end)
	}
}
