package main

import "testing"

func TestExplore(t *testing.T) {
	c := newCLI(t)
	r := c.ok("explore", "--world", "adversary", "--bound", "400", "-v")
	contains(t, r.out, "adversary: ", " situations from ", " of the machine", "39 invariants hold", "stopped at the bound")
	s := decode[explored](t, c.ok("explore", "--world", "pair", "--bound", "300", "--trouble", "0", "--json").out)
	if s.World != "pair" || s.Situations < 300 || s.Steps < s.Situations || s.Violations != 0 || s.FixedPoint {
		t.Errorf("the summary is %+v", s.Summary)
	}
	contains(t, c.exit(exitUsage, "explore", "--world", "nowhere").err, `"nowhere" is none of open, closed, faults, pair, moved, adversary, all`)
	c.exit(exitUsage, "explore", "--bound", "0")
	c.exit(exitUsage, "explore", "--invariant", "none-such", "--world", "pair")
}
