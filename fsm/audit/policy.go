package audit

import (
	"fmt"
	"strings"
	"time"
)

// Accepted is a deviation that somebody has looked at and accepts until a given day.
type Accepted struct {
	// Check is the id of a check, Fingerprint that of one finding. At least one of
	// the two is set.
	Check       string
	Fingerprint string
	// Target is what the entry applies to: a target, or the beginning of targets, which
	// ends in a slash; empty means every target.
	Target string
	Reason string
	By     string
	Until  time.Time // the first moment at which it no longer applies
}

// Policy is a list of what is accepted.
type Policy struct{ Accepted []Accepted }

// Acceptance says why a finding does not count.
type Acceptance struct {
	Reason string `json:"reason"`
	By     string `json:"by"`
	Until  string `json:"until"` // the last day
}

// Apply marks the findings that the policy accepts. It adds what is wrong with the
// policy to the notes of the report: entries for checks that do not exist, entries
// that have expired, and entries that no longer accept anything.
func (p Policy) Apply(r *Report, now time.Time) {
	for i, a := range p.Accepted {
		name := fmt.Sprintf("policy: entry %d (%s)", i+1, a.title())
		if _, known := Lookup(a.Check); a.Check != "" && !known {
			r.Notes = append(r.Notes, name+" names no check")
			continue
		}
		if !a.covers(r.Target) {
			continue
		}
		n, ran := a.mark(r, !now.Before(a.Until))
		switch {
		case n > 0 && !now.Before(a.Until):
			r.Notes = append(r.Notes, name+" expired on "+a.lastDay()+", and its findings count again; it was accepted by "+a.By)
		case !now.Before(a.Until):
			r.Notes = append(r.Notes, name+" expired on "+a.lastDay())
		case n == 0 && ran:
			r.Notes = append(r.Notes, name+" accepts nothing that was found; it can go")
		}
	}
	for i := range r.Verdicts {
		r.Verdicts[i].settle()
	}
}

func (a Accepted) title() string {
	if a.Check != "" {
		return a.Check
	}
	return a.Fingerprint
}

func (a Accepted) lastDay() string { return a.Until.Add(-time.Second).UTC().Format(time.DateOnly) }

func (a Accepted) covers(target string) bool {
	return a.Target == "" || a.Target == target || strings.HasSuffix(a.Target, "/") && strings.HasPrefix(target+"/", a.Target)
}

// mark accepts what the entry names, unless the entry has expired. It returns how many
// findings the entry names, and whether their check was run at all.
func (a Accepted) mark(r *Report, expired bool) (n int, ran bool) {
	for i := range r.Verdicts {
		v := &r.Verdicts[i]
		if a.Check == "" || v.Check == a.Check {
			ran = ran || v.Outcome == Pass || v.Outcome == Fail || v.Outcome == Warn
		}
		for k := range v.Findings {
			f := &v.Findings[k]
			if a.Check != "" && f.Check != a.Check || a.Fingerprint != "" && f.Fingerprint != a.Fingerprint {
				continue
			}
			n++
			if !expired && f.Accepted == nil {
				f.Accepted = &Acceptance{Reason: a.Reason, By: a.By, Until: a.lastDay()}
			}
		}
	}
	return n, ran
}

// settle turns a check whose findings are all accepted into a warning.
func (v *Verdict) settle() {
	if v.Outcome != Fail || len(v.Findings) == 0 {
		return
	}
	for _, f := range v.Findings {
		if f.Accepted == nil {
			return
		}
	}
	a := v.Findings[0].Accepted
	v.Outcome, v.Why = Warn, "accepted by "+a.By+" until "+a.Until+": "+a.Reason
}

// Accepted lists the findings that the policy accepts, worst first.
func (r Report) Accepted() []Finding {
	return r.list(func(f Finding) bool { return f.Accepted != nil })
}
