package proving

import (
	"slices"
	"testing"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
)

// beyond are the checks that cannot be run against a world.
var beyond = []string{"net.clock", "az.frame", "ref.after-days"}

// A world without faults gives no finding, and every check can run except those that
// need a real connection, a page for a user, or days of waiting.
func TestWellBehaved(t *testing.T) {
	_, r, err := Run(Checks())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings() {
		t.Errorf("%s: %s (expected %q, found %q)", f.Check, f.Says, f.Want, f.Got)
	}
	for _, v := range r.Verdicts {
		if v.Outcome == audit.CouldNotRun && !slices.Contains(beyond, v.Check) {
			t.Errorf("%s could not be run: %s", v.Check, v.Why)
		}
	}
	if len(r.Leftovers) > 0 {
		t.Errorf("registrations stay: %+v", r.Leftovers)
	}
}

// Every fault of the peer is found by a check that names its rule, or is listed as one
// that should not be reported. There is no severe finding of another rule that nobody
// has looked at, and no line of the two lists is stale. Each audit takes a third of a
// second, so one fault in eight is tried here, and all with make soak.
func TestFaults(t *testing.T) {
	var some []peer.Fault
	for i, f := range peer.Faults() {
		if i%8 == 0 {
			some = append(some, f)
		}
	}
	found(t, some)
}

// found audits a world with each of the faults.
func found(t *testing.T, faults []peer.Fault) {
	t.Helper()
	rows, err := matrix(faults)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		switch {
		case len(r.Named) == 0 && r.Silent == "":
			t.Errorf("%s: %s is not named; found %v", r.Fault.Name, r.Fault.Rule, r.Also)
		case len(r.Named) > 0 && r.Silent != "":
			t.Errorf("%s: %v names %s, although %s", r.Fault.Name, r.Named, r.Fault.Rule, r.Silent)
		}
		if len(r.Unexplained) > 0 {
			t.Errorf("%s: severe findings that nobody has looked at: %v", r.Fault.Name, r.Unexplained)
		}
		for _, check := range follows[r.Fault.Name] {
			if !slices.Contains(r.Also, check) {
				t.Errorf("%s: %s is listed as following from it, and finds nothing", r.Fault.Name, check)
			}
		}
	}
	for name := range Silent {
		if _, ok := peer.FaultNamed(name); !ok {
			t.Errorf("there is no fault %s", name)
		}
	}
	for name := range follows {
		if _, ok := peer.FaultNamed(name); !ok {
			t.Errorf("there is no fault %s", name)
		}
	}
}
