package proving

import (
	"fmt"
	"slices"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
)

// Row is what an audit finds in a world with one fault.
type Row struct {
	Fault peer.Fault
	// Named are the checks that name the rule of the fault, in a finding or in a fact
	// that a world without faults does not have.
	Named []string
	// Also are the other checks that find something.
	Also []string
	// Unexplained are those of Also whose findings are severe and that nobody has
	// looked at.
	Unexplained []string
	// CouldNotRun counts the checks that could not run because of the fault.
	CouldNotRun int
	// Silent says why nothing is found, if that is correct.
	Silent string
}

// Checks are all the checks that an audit of servers can run.
func Checks() []audit.Check {
	return audit.Select(audit.Options{Active: true, Register: true, Login: true, Destructive: true})
}

// Run audits a world with these faults.
func Run(checks []audit.Check, faults ...string) (audit.Evidence, audit.Report, error) {
	w, err := World(faults...)
	if err != nil {
		return audit.Evidence{}, audit.Report{}, err
	}
	e, err := Collect(w, checks)
	return e, audit.Judge(&e, checks), err
}

// Matrix audits one world for each fault of the peer, in the peer's order.
func Matrix() ([]Row, error) { return matrix(peer.Faults()) }

func matrix(faults []peer.Fault) ([]Row, error) {
	checks := Checks()
	_, good, err := Run(checks)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, f := range faults {
		_, r, err := Run(checks, f.Name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		rows = append(rows, row(checks, f, r, good))
	}
	return rows, nil
}

// row compares a report with that of a world without faults; both have the
// verdicts of the same checks, in the same order.
func row(checks []audit.Check, f peer.Fault, r, good audit.Report) Row {
	out := Row{Fault: f, Silent: Silent[f.Name], CouldNotRun: r.Count(audit.CouldNotRun)}
	for i, v := range r.Verdicts {
		names := v.Outcome == audit.Fact && (v.Outcome != good.Verdicts[i].Outcome || v.Why != good.Verdicts[i].Why) && slices.Contains(checks[i].Rules, f.Rule)
		severe := false
		for _, x := range v.Findings {
			names = names || slices.Contains(x.Rules, f.Rule)
			severe = severe || x.Severity.Rank() >= audit.High.Rank()
		}
		switch {
		case names:
			out.Named = append(out.Named, v.Check)
		case len(v.Findings) > 0:
			out.Also = append(out.Also, v.Check)
			if severe && !slices.Contains(follows[f.Name], v.Check) {
				out.Unexplained = append(out.Unexplained, v.Check)
			}
		}
	}
	return out
}
