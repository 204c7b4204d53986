// Package report writes the result of an audit in the forms that people and
// their tools read:
//
//	err = report.HTML(&page, r, &evidence)
//	fmt.Println(report.Summary(r))
//
// # Guarantees
//
// A report may hold strings that a server wrote. In text they are cleaned of what a
// terminal interprets, in HTML and XML they are escaped, and in Markdown they are put
// into code spans.
//
// # Who should not use it
//
// A program that reads findings itself; it uses the audit.Report.
package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Docs is where the page of the checks lies, for links.
const Docs = "https://github.com/stile-oauth/stile/blob/main/docs/audit.md"

// Link is the section of a check in the documentation.
func Link(check string) string { return Docs + "#" + strings.ReplaceAll(check, ".", "-") }

// Style says what the text looks like.
type Style struct {
	Colour bool
	Quiet  bool // findings only
}

// needs are the flags without which a check is not run.
func needs(id string) string {
	c, _ := audit.Lookup(id)
	return map[audit.Safety]string{audit.Active: " --active", audit.Residue: " --register", audit.Login: " --login", audit.Destructive: " --login --destructive"}[c.Safety]
}

// Repeat is the command that shows a finding again; "" where there is none.
func Repeat(r audit.Report, f audit.Finding) string {
	command := "stile audit "
	switch r.Source {
	case audit.LiveServer:
	case audit.LiveIssuer:
		command += "as "
	default: // a recording can only be judged again as a whole
		return ""
	}
	return command + clean(r.Target) + needs(f.Check) + " --only " + f.Check
}

var colours = map[audit.Severity]string{audit.Critical: "1;31", audit.High: "31", audit.Medium: "33", audit.Low: "36", audit.Info: "2"}

func (s Style) paint(code, text string) string {
	if !s.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Text writes the report for a terminal: what could not be run, the findings
// with the worst first, then one line for each family.
func Text(w io.Writer, r audit.Report, style Style) error {
	p := &printer{w: w}
	if r.Target != "" {
		p.f("%s\n", clean(r.Target))
	}
	for _, n := range r.Notes {
		p.f("note: %s\n", clean(n))
	}
	unknown(p, r)
	all := r.Findings()
	for _, f := range all {
		p.f("\n%s %s\n", style.paint(colours[f.Severity], fmt.Sprintf("%-4s", f.Severity)), style.paint("1", f.Check+": "+clean(f.Says)))
		if f.Want != "" || f.Got != "" {
			p.f("       expected  %s\n       found     %s\n", clean(f.Want), clean(f.Got))
		}
		if f.Shown != "" {
			p.f("       shown by  exchange %d%s, %s\n", f.Exchange, also(f.Also), clean(f.Shown))
		}
		p.f("       rule      %s\n", clean(cited(f.Rules[0])))
		if f.Affected != "" {
			p.f("       affects   %s\n", clean(f.Affected))
		}
		if f.Confidence != audit.Proved {
			p.f("       certainty %s\n", f.Confidence)
		}
		if f.Fix != "" {
			p.f("       fix       %s\n", clean(f.Fix))
		}
		if again := Repeat(r, f); again != "" {
			p.f("       repeat    %s\n", again)
		}
	}
	if list := r.Accepted(); len(list) > 0 {
		p.f("\naccepted, and not counted:\n")
		for _, f := range list {
			p.f("  %-4s %s: %s\n       until %s, by %s: %s\n", f.Severity, f.Check, clean(f.Says), clean(f.Accepted.Until), clean(f.Accepted.By), clean(f.Accepted.Reason))
		}
	}
	if len(r.Leftovers) > 0 {
		p.f("\nleft behind, and safe to delete:\n")
		for _, l := range r.Leftovers {
			p.f("  %s of %s at %s: %s\n", l.Kind, clean(l.ClientID), clean(l.Endpoint), clean(l.Why))
		}
	}
	if !style.Quiet {
		p.f("\n")
		families(p, r)
	}
	p.f("\n%s\n", Summary(r))
	return p.err
}

// unknown writes what could not be run, the checks with one reason together.
func unknown(p *printer, r audit.Report) {
	var reasons []string
	of := map[string][]string{}
	for _, v := range r.Verdicts {
		if v.Outcome != audit.CouldNotRun {
			continue
		}
		if of[v.Why] == nil {
			reasons = append(reasons, v.Why)
		}
		of[v.Why] = append(of[v.Why], v.Check)
	}
	if len(reasons) > 0 {
		p.f("\nCould not be run, so nothing is said about it:\n")
	}
	for _, why := range reasons {
		p.f("  %s\n      %s\n", clean(why), strings.Join(of[why], ", "))
	}
}

func also(list []int) string {
	if len(list) == 0 {
		return ""
	}
	return " and " + strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ", "), "[]")
}

// familyView is what a report says of a family beside its findings.
type familyView struct {
	Title  string
	Passed []string // checks, without the family's name
	Facts  []audit.Verdict
}

// byFamily gives those families in which something passed or was told, in order.
func byFamily(r audit.Report) []familyView {
	var out []familyView
	for _, family := range audit.Families {
		v := familyView{Title: family.Title}
		for _, verdict := range r.Verdicts {
			name, ours := strings.CutPrefix(verdict.Check, family.Name+".")
			switch {
			case !ours:
			case verdict.Outcome == audit.Pass:
				v.Passed = append(v.Passed, name)
			case verdict.Outcome == audit.Fact:
				v.Facts = append(v.Facts, verdict)
			}
		}
		if len(v.Passed)+len(v.Facts) > 0 {
			out = append(out, v)
		}
	}
	return out
}

// families writes one line for each family: what passed, and what was told.
func families(p *printer, r audit.Report) {
	for _, family := range byFamily(r) {
		if len(family.Passed) > 0 {
			p.f("passed  %-28s %s\n", family.Title, strings.Join(family.Passed, ", "))
		}
		for _, v := range family.Facts {
			p.f("fact    %-28s %s\n", v.Check, clean(v.Why))
		}
	}
}

// Summary counts the outcomes in one line.
func Summary(r audit.Report) string {
	by := map[audit.Severity]int{}
	all := r.Findings()
	for _, f := range all {
		by[f.Severity]++
	}
	var parts []string
	for _, s := range []audit.Severity{audit.Critical, audit.High, audit.Medium, audit.Low, audit.Info} {
		if by[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", by[s], s))
		}
	}
	text := "no findings"
	if len(all) == 1 {
		text = "1 finding (" + parts[0] + ")"
	} else if len(all) > 1 {
		text = fmt.Sprintf("%d findings (%s)", len(all), strings.Join(parts, ", "))
	}
	if n := len(r.Accepted()); n > 0 {
		text += fmt.Sprintf(", and %d accepted", n)
	}
	return fmt.Sprintf("%s; %d checks passed, %d failed, %d do not apply, %d could not be run",
		text, r.Count(audit.Pass)+r.Count(audit.Fact), r.Count(audit.Fail), r.Count(audit.NotApplicable), r.Count(audit.CouldNotRun))
}

// cited names a rule with its clause.
func cited(id rules.ID) string {
	if r, ok := rules.Lookup(id); ok {
		return string(id) + " (" + r.Cited() + ")"
	}
	return string(id)
}

func clean(s string) string { return wire.Clean(s, 1000) }

// printer keeps the first error of a writer.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
