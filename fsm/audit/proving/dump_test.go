package proving

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
)

func TestDump(t *testing.T) {
	checks := audit.Select(audit.Options{Active: true, Register: true, Login: true, Destructive: true})
	for _, f := range append([]peer.Fault{{}}, peer.Faults()...) {
		names := []string{f.Name}
		if f.Name == "" {
			names = nil
		}
		w, err := World(names...)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Collect(w, checks)
		if err != nil {
			t.Fatal(f.Name, err)
		}
		r := audit.Judge(&e, checks)
		s := fmt.Sprintf("%-28s %-10s %-34s", f.Name, f.Endpoint, f.Rule)
		named := false
		for _, v := range r.Verdicts {
			c, _ := audit.Lookup(v.Check)
			if v.Outcome == audit.Fact && slices.Contains(c.Rules, f.Rule) {
				named = true
				s += " (fact " + v.Check + ")"
			}
		}
		for _, x := range r.Findings() {
			m := ""
			if slices.Contains(x.Rules, f.Rule) {
				named = true
				m = "*"
			}
			s += fmt.Sprintf(" %s%s/%s", m, x.Check, x.Severity)
		}
		if f.Name == "" {
			for _, v := range r.Verdicts {
				if v.Outcome == audit.CouldNotRun || v.Outcome == audit.Fact || v.Outcome == audit.NotApplicable {
					fmt.Println("GOOD", v.Check, v.Outcome, v.Why)
				}
			}
		}
		k := "--"
		if named {
			k = "OK"
		} else if len(r.Findings()) == 0 {
			k = "00"
		}
		fmt.Printf("%s %s | cnr %d\n", k, s, r.Count(audit.CouldNotRun))
	}
}
