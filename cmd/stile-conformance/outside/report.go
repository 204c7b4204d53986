package main

import (
	"fmt"
	"io"
	"time"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
)

// report prints the table, then the closing line, and fails when a row did.
func report(w io.Writer, rows []row, o options, took time.Duration) error {
	if len(rows) == 0 {
		return fmt.Errorf("no line contains %q", o.only)
	}
	var passed, failed int
	var last string
	for _, r := range rows {
		if r.world != last {
			fmt.Fprintf(w, "\n%s\n", r.world)
			last = r.world
		}
		word := "ok  "
		if r.passed() {
			passed++
		} else {
			word = "FAIL"
			failed++
		}
		fmt.Fprintf(w, "  %s %-56s %s\n", word, r.name, kit.Clean(r.said, 200))
		for _, f := range r.faults {
			fmt.Fprintf(w, "         %s\n", kit.Clean(f, 400))
		}
		if o.verbose || !r.passed() {
			for _, line := range r.output {
				fmt.Fprintf(w, "         | %s\n", kit.Clean(line, 300))
			}
		}
	}
	closing := fmt.Sprintf("outside: %d passed, %d failed, 0 skipped", passed, failed)
	fmt.Fprintf(w, "\n%s (%.0f s)\n", closing, took.Seconds())
	if err := kit.Append(o.tally, closing); err != nil {
		return err
	}
	if failed > 0 {
		return errFailed
	}
	return nil
}
