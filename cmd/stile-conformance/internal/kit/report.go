package kit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// Row is one line of a table: what was tried, and the result.
type Row struct {
	Group, Name string
	Said        string   // the result, for people
	Faults      []string // empty: it passed
	Output      []string // what explains a failure
}

// Fault notes something that was not as it should be.
func (r *Row) Fault(format string, args ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

// ErrFailed says that a line of the table failed; the table shows which.
var ErrFailed = errors.New("not everything held")

// Table is how rows are printed.
type Table struct {
	Title   string        // the first word of the closing line
	Only    string        // what was chosen, to be named if nothing matched
	Tally   string        // a file to which the closing line is added
	Verbose bool          // print the output of rows that passed, too
	Took    time.Duration // by all of the rows
}

// Print prints the rows, then the closing line, and fails when a row did.
func (t Table) Print(w io.Writer, rows []Row) error {
	if len(rows) == 0 {
		return fmt.Errorf("nothing contains %q", t.Only)
	}
	failed, group := 0, ""
	for _, r := range rows {
		if r.Group != group {
			fmt.Fprintf(w, "\n%s\n", r.Group)
			group = r.Group
		}
		word := "ok  "
		if len(r.Faults) > 0 {
			word = "FAIL"
			failed++
		}
		fmt.Fprintf(w, "  %s %-56s %s\n", word, r.Name, Clean(r.Said, 300))
		for _, f := range r.Faults {
			fmt.Fprintf(w, "         %s\n", Clean(f, 400))
		}
		if t.Verbose || len(r.Faults) > 0 {
			for _, line := range r.Output {
				fmt.Fprintf(w, "         | %s\n", Clean(line, 300))
			}
		}
	}
	closing := fmt.Sprintf("%s: %d passed, %d failed, 0 skipped", t.Title, len(rows)-failed, failed)
	fmt.Fprintf(w, "\n%s (%.0f s)\n", closing, t.Took.Seconds())
	if err := Append(t.Tally, closing); err != nil {
		return err
	}
	if failed > 0 {
		return ErrFailed
	}
	return nil
}

// Append adds a closing line to a file; "" means no file.
func Append(file, closing string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, closing)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// colour matches the colour codes in the suite's output.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Clean makes text from others fit to print: without control characters, and bounded.
func Clean(s string, bound int) string {
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
