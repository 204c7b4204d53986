package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
)

// report prints the table, then the closing line, and fails when a row did.
func report(rows []row, o options, took time.Duration) error {
	if len(rows) == 0 {
		return fmt.Errorf("no scenario contains %q", o.only)
	}
	var passed, failed int
	var last batch
	for _, r := range rows {
		if r.batch != last {
			fmt.Printf("\n%s %s\n", r.batch.release, r.batch.name)
			last = r.batch
		}
		word := "ok  "
		if r.passed() {
			passed++
		} else {
			word = "FAIL"
			failed++
		}
		fmt.Printf("  %s %-42s %s\n", word, r.scenario, r.said())
		for _, f := range r.faults {
			fmt.Printf("         %s\n", kit.Clean(f, 300))
		}
		if o.verbose || !r.passed() && !r.recorded {
			for line := range strings.Lines(r.output) {
				fmt.Printf("         | %s\n", kit.Clean(strings.TrimRight(line, "\n"), 300))
			}
		}
	}
	closing := fmt.Sprintf("conformance: %d passed, %d failed, 0 skipped", passed, failed)
	fmt.Printf("\n%s (%.0f s)\n", closing, took.Seconds())
	if err := kit.Append(o.tally, closing); err != nil {
		return err
	}
	if failed > 0 {
		return errFailed
	}
	return nil
}

// said sums up a row: successful checks and the end of the client.
func (r row) said() string {
	if r.whole != "" {
		return kit.Clean(r.whole, 120)
	}
	s := fmt.Sprintf("%3d checks", r.checks)
	if r.client != 0 {
		// A client may fail only where the scenario wants it to; its last words
		// show that it failed for the right reason.
		s += fmt.Sprintf(", client ended with %d: %s", r.client, kit.Clean(strings.TrimPrefix(r.lastWords, "stile-conformance: "), 260))
	}
	return s
}
