package report

import (
	"io"
	"strings"

	"github.com/stile-oauth/stile/fsm/audit"
)

// Markdown writes the report for a comment on a pull request.
func Markdown(w io.Writer, r audit.Report) error {
	p := &printer{w: w}
	p.f("### MCP authorization audit\n\n")
	if r.Target != "" {
		p.f("%s\n\n", code(r.Target))
	}
	p.f("%s\n", Summary(r))
	if all := r.Findings(); len(all) > 0 {
		p.f("\n| severity | check | what is wrong | expected | found | fix |\n|---|---|---|---|---|---|\n")
		for _, f := range all {
			p.f("| %s | [%s](%s) | %s | %s | %s | %s |\n", f.Severity, f.Check, Link(f.Check), code(f.Says), code(f.Want), code(f.Got), strings.ReplaceAll(f.Fix, "|", `\|`))
		}
	}
	if list := r.Accepted(); len(list) > 0 {
		p.f("\n<details><summary>Accepted</summary>\n\n")
		for _, f := range list {
			p.f("- %s [%s](%s) %s until %s, by %s: %s\n", f.Severity, f.Check, Link(f.Check), code(f.Says), code(f.Accepted.Until), code(f.Accepted.By), code(f.Accepted.Reason))
		}
		p.f("\n</details>\n")
	}
	first := true
	for _, v := range r.Verdicts {
		if v.Outcome == audit.CouldNotRun {
			if first {
				p.f("\n<details><summary>Could not be run</summary>\n\n")
				first = false
			}
			p.f("- %s: %s\n", v.Check, code(v.Why))
		}
	}
	if !first {
		p.f("\n</details>\n")
	}
	return p.err
}

// code puts a text that may come from a server into a code span, where Markdown
// interprets nothing. Backquotes and bars are replaced.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.NewReplacer("`", "'", "|", "\u00a6", "\n", " ").Replace(clean(s)) + "`"
}
