package main

import (
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
)

// lines makes the lines of the table. If the suite left no checks, its output explains a
// failure; verbose always shows the output.
func lines(rows []row, verbose bool) []kit.Row {
	var all []kit.Row
	for _, r := range rows {
		line := kit.Row{Group: r.batch.release + " " + r.batch.name, Name: r.scenario, Said: r.said(), Faults: r.faults}
		if r.output != "" && (verbose || !r.recorded) {
			line.Output = strings.Split(strings.TrimRight(r.output, "\n"), "\n")
		}
		all = append(all, line)
	}
	return all
}

// said sums up a row: the successful checks and how the client ended.
func (r row) said() string {
	if r.whole != "" {
		return kit.Clean(r.whole, 120)
	}
	s := fmt.Sprintf("%3d checks", r.checks)
	if r.client != 0 {
		// A client may fail only if the scenario requires that. The last line of its output
		// shows that it failed for the right reason.
		s += fmt.Sprintf(", client ended with %d: %s", r.client, kit.Clean(strings.TrimPrefix(r.lastWords, "stile-conformance: "), 260))
	}
	return s
}
