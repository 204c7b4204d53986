package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/fsm/audit"
)

const auditIntro = `# The checks of the audit

` + "`stile audit`" + ` runs these checks against a live server, a trace or a HAR file. A
check is a pair of pure functions in [fsm/audit](../fsm/audit): a plan, which says
what to ask, and a judge, which reads the evidence. The same judge reads all
sources.

- **safety**: *passive* checks read published documents and send what any client
  sends; *active* ones send wrong tokens and headers; *residue* ones register
  clients, and delete them at the end where the server lets them; *login* ones
  use one login, and *destructive* ones use up logins of their own; *offline* ones
  need a recording. [What they find](audit-matrix.md) in servers whose faults are known.
- **severity**: *crit* puts the token or account of another party at risk; *high*
  is exploitable with one more step, or locks a class of clients out; *med* is
  hardening or partial interoperability; *low* is form; *info* is a fact.
- A check **passes**, **fails**, tells a **fact**, does **not apply** (the server
  makes no such claim) or **could not be run**: what the evidence does not show is
  never a finding and never counted as passed.
- What a server does wrong and cannot mend for now is **accepted** by a file that is
  reviewed, ` + "`--policy FILE`" + `. It is shown in every report and does not decide the exit
  status. An entry names a check or the fingerprint of one finding, the target that
  it holds for (one that ends in a slash also holds below it; none is every target),
  why, who, and the last day:

` + "```yaml" + `
version: 1
accepted:
  - check: ref.concurrent
    target: https://mcp.example/
    reason: the vendor gives spent refresh tokens no grace; their ticket is 4711
    by: Jane Doe
    until: 2027-06-30
` + "```" + `

  The audit reports an entry that names no check, that has expired or that matches no
  finding. After the last day, the findings count again.

`

// auditPage has a section for each check; reports link to these sections.
func auditPage() []byte {
	var b bytes.Buffer
	b.WriteString(generated + auditIntro)
	b.WriteString("| family | checks |\n|---|--:|\n")
	for _, f := range audit.Families {
		fmt.Fprintf(&b, "| [%s](#%s) | %d |\n", f.Title, f.Name, len(checksOf(f.Name)))
	}
	fmt.Fprintf(&b, "| all | %d |\n", len(audit.Table()))
	for _, f := range audit.Families {
		fmt.Fprintf(&b, "\n<a id=%q></a>\n## %s\n", f.Name, f.Title)
		for _, c := range checksOf(f.Name) {
			fmt.Fprintf(&b, "\n<a id=%q></a>\n### `%s`\n\n", strings.ReplaceAll(c.ID, ".", "-"), c.ID)
			fmt.Fprintf(&b, "%s, %s", c.Severity, c.Safety)
			if c.Since != "" {
				fmt.Fprintf(&b, ", since MCP %s", c.Since)
			}
			fmt.Fprintf(&b, "; threat: %s.\n\n", c.Threat)
			fmt.Fprintf(&b, "%s It passes when: %s\n\n", cell(c.Does), cell(c.Passes))
			fmt.Fprintf(&b, "Why it matters: %s\n\nHow to fix it: %s\n\nRules: ", cell(c.Why), cell(c.Fix))
			for i, id := range c.Rules {
				if i > 0 {
					b.WriteString(", ")
				}
				fmt.Fprintf(&b, "[`%s`](rules.md#%s)", id, id)
			}
			b.WriteString(".\n")
		}
	}
	return b.Bytes()
}

func checksOf(family string) []audit.Check {
	var out []audit.Check
	for _, c := range audit.Table() {
		if c.Family() == family {
			out = append(out, c)
		}
	}
	return out
}
