package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode"
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
			fmt.Printf("         %s\n", clean(f, 300))
		}
		if o.verbose || !r.passed() && !r.recorded {
			for line := range strings.Lines(r.output) {
				fmt.Printf("         | %s\n", clean(strings.TrimRight(line, "\n"), 300))
			}
		}
	}
	closing := fmt.Sprintf("conformance: %d passed, %d failed, 0 skipped", passed, failed)
	fmt.Printf("\n%s (%.0f s)\n", closing, took.Seconds())
	if o.tally != "" {
		f, err := os.OpenFile(o.tally, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(f, closing)
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	if failed > 0 {
		return errFailed
	}
	return nil
}

// said sums up a row: successful checks and the end of the client.
func (r row) said() string {
	if r.whole != "" {
		return clean(r.whole, 120)
	}
	s := fmt.Sprintf("%3d checks", r.checks)
	if r.client != 0 {
		// A client may fail only where the scenario wants it to; its last words
		// show that it failed for the right reason.
		s += fmt.Sprintf(", client ended with %d: %s", r.client, clean(strings.TrimPrefix(r.lastWords, "stile-conformance: "), 260))
	}
	return s
}

// colour is how the suite colours its words.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// clean makes what others wrote fit to print: no control characters, bounded.
func clean(s string, bound int) string {
	s = colour.ReplaceAllString(s, "")
	s = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '.'
	}, s)
	if runes := []rune(s); len(runes) > bound {
		return string(runes[:bound]) + "…"
	}
	return s
}
