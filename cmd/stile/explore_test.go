package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/explore"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

func TestExplore(t *testing.T) {
	c := newCLI(t)
	r := c.ok("explore", "--world", "adversary", "--bound", "400", "-v")
	contains(t, r.out, "adversary: ", " situations from ", " of the machine", " invariants hold\n", "stopped at the bound",
		"their own server, an initial access token: ", "complete to ")
	r = c.ok("explore", "--world", "faults", "--bound", "400", "--invariant", "pkce-once")
	contains(t, r.out, "; 1 invariant holds\n", "(-v lists each starting point)")
	s := decode[explored](t, c.ok("explore", "--world", "pair", "--bound", "300", "--trouble", "0", "--json").out)
	if s.World != "pair" || s.Situations < 300 || s.Steps < s.Situations || s.Violations != 0 || s.FixedPoint || len(s.Walks) != s.Beginnings {
		t.Errorf("the summary is %+v", s.Summary)
	}
	contains(t, c.exit(exitUsage, "explore", "--world", "nowhere").err, `"nowhere" is not one of open, closed, faults, pair, moved, doubt, adversary, machines, all`)
	c.exit(exitUsage, "explore", "--bound", "0")
	c.exit(exitUsage, "explore", "--stalls", "-1")
	for flag, want := range map[string]string{"none-such": `there is no invariant "none-such"; there are answers-taken, `, "pkce-once": `the invariant "pkce-once" is named twice`} {
		r := c.exit(exitUsage, "explore", "--invariant", "pkce-once", "--invariant", flag)
		contains(t, r.err, want)
		if n := strings.Count(r.err, "invariant \""); n != 1 {
			t.Errorf("said %d times: %s", n, r.err)
		}
	}
}

// An interrupted walk tells what it has found.
func TestExploreInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, log bytes.Buffer
	c := &cobra.Command{}
	c.SetContext(ctx)
	n, err := newCLI(t).app(&out, &log).explore(c, explore.Options{
		World: "pair", Situations: 1 << 20, Stop: 1 << 20, Only: []string{"answers-taken"},
		Table: slices.DeleteFunc(slices.Clone(transitions.Table), func(r transitions.Row) bool {
			return r.From == states.Leasing && r.On == transitions.LeaseHeld
		}),
	})
	if err == nil || n == 0 || !strings.Contains(err.Error(), "interrupted after ") || !strings.Contains(err.Error(), " violation") {
		t.Errorf("%d violations, and %v", n, err)
	}
	contains(t, out.String(), "  interrupted; ", "0 invariants hold", "\nanswers-taken (house-ask-again): ", "# Found by stile explore")
}
