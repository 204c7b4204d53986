package report

import (
	"fmt"
	"io"

	sarifreport "github.com/owenrumney/go-sarif/v3/pkg/report"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/stile-oauth/stile/fsm/audit"
)

// levels are SARIF's words for severities.
var levels = map[audit.Severity]string{audit.Critical: "error", audit.High: "error", audit.Medium: "warning", audit.Low: "note", audit.Info: "note"}

// scores are what code hosts sort by (security-severity of a rule).
var scores = map[audit.Severity]string{audit.Critical: "9.5", audit.High: "8.0", audit.Medium: "5.5", audit.Low: "3.0", audit.Info: "1.0"}

// SARIF writes SARIF 2.1.0: a rule is a check, a result a finding.
func SARIF(w io.Writer, r audit.Report) error {
	out := sarifreport.NewV210Report()
	run := sarif.NewRunWithInformationURI("stile audit", Docs)
	for _, v := range r.Verdicts {
		c, ok := audit.Lookup(v.Check)
		if !ok {
			continue
		}
		run.AddRule(c.ID).WithHelpURI(Link(c.ID)).WithShortDescription(sarif.NewMultiformatMessageString().WithText(c.Passes)).
			WithFullDescription(sarif.NewMultiformatMessageString().WithText(c.Why)).
			WithProperties(sarif.NewPropertyBag().Add("security-severity", scores[c.Severity]).Add("tags", []string{"mcp", "oauth", string(c.Threat)}))
	}
	target := r.Target
	if target == "" {
		target = "recording"
	}
	for _, f := range append(r.Findings(), r.Accepted()...) {
		text := f.Says
		if f.Want != "" || f.Got != "" {
			text += fmt.Sprintf(" (expected %q, found %q)", f.Want, f.Got)
		}
		text += ". " + f.Fix
		result := sarif.NewRuleResult(f.Check).WithLevel(levels[f.Severity]).
			WithMessage(sarif.NewTextMessage(text)).
			WithPartialFingerprints(map[string]string{"stileAudit/v1": f.Fingerprint}).
			WithLocations([]*sarif.Location{sarif.NewLocationWithPhysicalLocation(
				sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation(target)))})
		if f.Accepted != nil {
			result.AddSuppression(sarif.NewSuppression().WithKind("external").WithStatus("accepted").
				WithJustification(fmt.Sprintf("%s (by %s, until %s)", f.Accepted.Reason, f.Accepted.By, f.Accepted.Until)))
		}
		run.AddResult(result)
	}
	out.AddRun(run)
	return out.PrettyWrite(w)
}
