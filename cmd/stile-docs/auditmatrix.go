package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/stile-oauth/stile/fsm/audit/proving"
)

const matrixIntro = `# What the audit finds in servers whose faults are known

The development servers of this project misbehave by name (` + "`stile serve as --fault`" + `).
This page is what ` + "`stile audit --active --login --destructive`" + ` finds in each: it is made by
running the audit against the pure servers, and a test wants every fault to be found
by a check that names its rule.

- **found by**: the checks whose finding, or fact, names the rule of the fault.
- **also**: other checks that find something because of it. The severe ones were
  looked at: where metadata cannot be read, nothing that it names is found.
- **could not run**: how many checks the fault hides.

A world without faults has no finding.

`

// matrix runs about two hundred audits, and gives the same result each time.
var matrix = sync.OnceValues(proving.Matrix)

// matrixPage lists the faults of the peer with the checks that find them.
func matrixPage() ([]byte, error) {
	rows, err := matrix()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(generated + matrixIntro)
	silent := 0
	for _, r := range rows {
		if r.Silent != "" {
			silent++
		}
	}
	fmt.Fprintf(&b, "%d faults: %d are found, %d rightly are not.\n\n", len(rows), len(rows)-silent, silent)
	b.WriteString("| fault | where | what it does | rule | found by | also | could not run |\n|---|---|---|---|---|---|--:|\n")
	for _, r := range rows {
		by := checkLinks(r.Named)
		if r.Silent != "" {
			by = "*nothing: " + cell(r.Silent) + "*"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | [`%s`](rules.md#%s) | %s | %s | %d |\n",
			r.Fault.Name, r.Fault.Endpoint, cell(r.Fault.Says), r.Fault.Rule, r.Fault.Rule, by, checkLinks(r.Also), r.CouldNotRun)
	}
	return b.Bytes(), nil
}

func checkLinks(ids []string) string {
	var out []string
	for _, id := range ids {
		out = append(out, fmt.Sprintf("[`%s`](audit.md#%s)", id, strings.ReplaceAll(id, ".", "-")))
	}
	return strings.Join(out, ", ")
}
