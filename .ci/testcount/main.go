// Command testcount reads the output of `go test -json` and summarizes it: the
// packages as they end, the complete output of whatever failed, and a closing line with
// exact counts. A package that fails without a failing test (it did not build, it
// panicked, it ran out of time) counts as one failure.
//
// With CI=true a skipped test counts as failed: on the build computer nothing that a
// test needs may be missing.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
)

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

type tally struct {
	passed, failed, skipped int
	output                  map[string][]string // by package and test
	inPackage               map[string]int      // tests that failed, by package
	ran                     map[string]int      // tests that ended, by package
	skips, failures         []string
}

func main() {
	label := flag.String("label", "tests", "what was run, for the closing line")
	file := flag.String("append", "", "append the closing line to this file too")
	flag.Parse()

	t := tally{output: map[string][]string{}, inPackage: map[string]int{}, ran: map[string]int{}}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var e event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil || e.Action == "" {
			fmt.Println(in.Text()) // not an event: this is output of the go command itself
			continue
		}
		t.add(e)
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
		os.Exit(2)
	}

	ci := os.Getenv("CI") == "true"
	sort.Strings(t.skips)
	for _, s := range t.skips {
		fmt.Println("skipped:", s)
	}
	for _, s := range t.failures {
		fmt.Println("failed: ", s)
	}
	closing := fmt.Sprintf("%s: %d passed, %d failed, %d skipped", *label, t.passed, t.failed, t.skipped)
	fmt.Println(closing)
	if *file != "" {
		if err := appendLine(*file, closing); err != nil {
			fmt.Fprintln(os.Stderr, "testcount:", err)
			os.Exit(2)
		}
	}
	switch {
	case t.failed > 0:
		os.Exit(1)
	case ci && t.skipped > 0:
		fmt.Println("CI=true: a skipped test is a failed one")
		os.Exit(1)
	case t.passed == 0:
		fmt.Println("no test ran")
		os.Exit(1)
	}
}

func (t *tally) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Print(e.Output)
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e)
			return
		}
		t.ran[e.Package]++
		switch e.Action {
		case "pass":
			t.passed++
		case "skip":
			t.skipped++
			t.skips = append(t.skips, key+": "+lastWords(t.output[key]))
		case "fail":
			t.failed++
			t.inPackage[e.Package]++
			t.failures = append(t.failures, key)
			fmt.Print(strings.Join(t.output[key], ""))
		}
		delete(t.output, key)
	}
}

func (t *tally) endPackage(e event) {
	key := e.Package + " "
	defer delete(t.output, key)
	if e.Action == "skip" || e.Action == "pass" && t.ran[e.Package] == 0 {
		return // no test files, or none that ran
	}
	word := "ok  "
	if e.Action == "fail" {
		word = "FAIL"
		if t.inPackage[e.Package] == 0 {
			t.failed++
			t.failures = append(t.failures, e.Package+" (the package itself)")
		}
		// Tests that were still running when the package died have no end event.
		for k, out := range t.output {
			if strings.HasPrefix(k, key) {
				fmt.Print(strings.Join(out, ""))
			}
		}
	}
	fmt.Printf("%s %s  %d tests, %.1fs\n", word, e.Package, t.ran[e.Package], e.Elapsed)
}

// lastWords is the last output of a skipped test.
func lastWords(out []string) string {
	for _, line := range out {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			return line
		}
	}
	return "no reason given"
}

func appendLine(name, line string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(f, line); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
