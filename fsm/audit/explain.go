package audit

import (
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/states/rules"
)

// Explanation is what a trace shows: what the machine itself tells, and what the
// servers did wrong.
type Explanation struct {
	trace.Explanation
	// Findings are the findings of the checks that can judge a trace, worst first.
	Findings []Finding `json:"findings"`
	// Facts are what the servers do differently from most, and are allowed to.
	Facts []Verdict `json:"facts"`
}

// Explain tells what happened in a trace and lets the audit judge it.
func Explain(t *trace.Trace) (Explanation, error) {
	e, err := FromTraceFile(t)
	if err != nil {
		return Explanation{}, err
	}
	out := Explanation{Explanation: trace.Explain(t), Findings: []Finding{}, Facts: []Verdict{}}
	r := Judge(&e, Select(Options{Recording: true, Skip: []string{"tr.coverage", "tr.first-cause"}}))
	out.Findings = append(out.Findings, r.Findings()...)
	for _, v := range r.Verdicts {
		if v.Outcome == Fact {
			out.Facts = append(out.Facts, v)
		}
	}
	return out, nil
}

// String prints the explanation, with the findings at the end.
func (e Explanation) String() string {
	var b strings.Builder
	b.WriteString(e.Explanation.String())
	if len(e.Findings)+len(e.Facts) > 0 {
		b.WriteString("\nWhat is wrong nevertheless (stile audit trace has more)\n")
	}
	for _, f := range e.Findings {
		fmt.Fprintf(&b, "  %-4s %s: %s\n", f.Severity, f.Check, f.Says)
		if f.Want != "" || f.Got != "" {
			fmt.Fprintf(&b, "         expected %s\n         found    %s\n", f.Want, f.Got)
		}
		cite(&b, f.Rules)
	}
	for _, v := range e.Facts {
		fmt.Fprintf(&b, "  fact %s: %s\n", v.Check, v.Why)
		if c, ok := Lookup(v.Check); ok {
			cite(&b, c.Rules)
		}
	}
	return b.String()
}

func cite(b *strings.Builder, ids []rules.ID) {
	for _, id := range ids {
		fmt.Fprintf(b, "         rule     %s", id)
		if r, ok := rules.Lookup(id); ok {
			fmt.Fprintf(b, " [%s]", r.Cited())
		}
		b.WriteByte('\n')
	}
}
