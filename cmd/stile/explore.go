package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/explore"
)

// exploreSlice is the number of situations between two reports of progress, and
// between two looks at whether the command was interrupted.
const exploreSlice = 2000

func newExplore(a *app) *cobra.Command {
	var world string
	var bound, trouble, stalls int
	var watched []string
	c := &cobra.Command{
		Use:   "explore",
		Short: "Walk all situations of the machine and check its invariants",
		Long: `Walks every situation that the machine can reach in one of the worlds, or in all,
breadth first, and checks the invariants of docs/exploration.md at every step.
For a violation, the command prints the shortest path to it, as a script for
testdata/scripts, and the exit status is 1. The command sends and stores nothing:
servers, store and clock are simulated.`,
		Example: `  stile explore --world pair --bound 100000
  stile explore --world closed --trouble 2 --invariant refresh-no-overlap`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			worlds := explore.Worlds()
			if world != "all" {
				if !slices.Contains(worlds, world) {
					return usage("--world: %q is not one of %s, all", world, strings.Join(worlds, ", "))
				}
				worlds = []string{world}
			}
			if bound < 1 || trouble < 0 || stalls < 0 {
				return usage("--bound must be at least 1, --trouble and --stalls at least 0")
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
	fl.StringVar(&world, "world", "all", "the `WORLD` to walk: "+strings.Join(explore.Worlds(), ", ")+" or all")
	fl.IntVar(&bound, "bound", 50000, "the maximum `NUMBER` of situations of a world")
	fl.IntVar(&trouble, "trouble", 1, "the maximum `NUMBER` of troubles on one path")
	fl.IntVar(&stalls, "stalls", 1, "the maximum `NUMBER` of times that both machines of the world pair stand still until a lease or an exchange runs out")
	fl.StringArrayVar(&watched, "invariant", nil, "check only this `INVARIANT` (repeatable)")
	needs(fl, "world=all,pair", "stalls")
	_ = c.RegisterFlagCompletionFunc("world", cobra.FixedCompletions(append(explore.Worlds(), "all"), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// explored is the result of a walk as JSON.
type explored struct {
	explore.Summary
	Found []explore.Violation `json:"found"`
}

// explore walks one world and returns the number of violations. When it is
// interrupted, it prints what it has found so far.
func (a *app) explore(c *cobra.Command, o explore.Options) (int, error) {
	x, err := explore.New(o)
	if err != nil {
		return 0, usage("%w", err)
	}
	line := progress{a: a}
	line.to("%s: begins", o.World)
	var interrupted error
	for interrupted == nil && x.Run(exploreSlice) {
		if c.Context().Err() != nil {
			interrupted = failed("interrupted after %s of the %s world", plural(x.Summary().Situations, "situation"), o.World)
		}
		s := x.Summary()
		line.to("%s: %s, %s, depth %d", s.World, plural(s.Situations, "situation"), plural(s.Steps, "step"), s.Depth)
		if a.verbose {
			a.note("%s: %s, %s, depth %d, %d of %d rows\n", s.World, plural(s.Situations, "situation"), plural(s.Steps, "step"), s.Depth, s.Rows, s.Table)
		}
	}
	line.end()
	s, found := x.Summary(), x.Violations()
	err = a.result(explored{s, append([]explore.Violation{}, found...)}, func() {
		a.printWalk(s, found)
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

// walksShown is the number of beginnings that are listed one by one.
const walksShown = 20

// printWalk says how far a walk got, as a whole and from each beginning.
func (a *app) printWalk(s explore.Summary, found []explore.Violation) {
	broken := map[string]bool{}
	for _, v := range found {
		broken[v.Invariant] = true
	}
	holds := plural(s.Invariants-len(broken), "invariant") + " hold"
	if s.Invariants-len(broken) == 1 {
		holds += "s"
	}
	a.say("%s: %s from %s, %s of the machine and %s more on the way to rest; %d of %d rows fired, %d more on that path; %s\n", s.World,
		plural(s.Situations, "situation"), plural(s.Beginnings, "starting point"), plural(s.Steps, "step"), plural(s.Following, "step"),
		s.Rows, s.Table, s.Followed, holds)
	switch {
	case s.FixedPoint && s.Dropped > 0:
		a.say("  no further situation of a shape that was not seen; %s of known shapes left out\n", plural(s.Dropped, "situation"))
	case s.FixedPoint:
		a.say("  a fixed point: there is no further situation\n")
	case s.Stopped:
		a.say("  stopped at the violations; %s not explored further\n", plural(s.Waiting+s.Dropped, "situation"))
	case s.Done:
		a.say("  stopped at the bound; %s walked to a fixed point, %s not explored further\n", plural(s.Ended, "starting point"), plural(s.Waiting+s.Dropped, "situation"))
	default:
		a.say("  interrupted; %s walked to a fixed point, %s not explored further\n", plural(s.Ended, "starting point"), plural(s.Waiting+s.Dropped, "situation"))
	}
	if len(s.Walks) > walksShown && !a.verbose {
		a.say("  (-v lists each starting point)\n")
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
