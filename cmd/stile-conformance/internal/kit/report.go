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

// Row is one line of a table: what was tried, and what came of it.
type Row struct {
	Group, Name string
	Said        string   // what it came to, for people
	Faults      []string // none: it passed
	Output      []string // what explains a failure
}

// Fault notes what was not as it has to be.
func (r *Row) Fault(format string, args ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

// ErrFailed says that a line of the table failed; the table says which.
var ErrFailed = errors.New("not everything held")

// Table is how rows are printed.
type Table struct {
	Title   string        // the first word of the closing line
	Only    string        // what was chosen, for the case that nothing was
	Tally   string        // a file to which the closing line is added
	Verbose bool          // print the output of rows that passed, too
	Took    time.Duration // by all of them
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

// Append adds a closing line to a file; no file is named by "".
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

// colour is how the suite colours its words.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Clean makes what others wrote fit to print: no control characters, bounded.
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
