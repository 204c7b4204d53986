package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/stile-oauth/stile/fsm/audit"
)

// JSON writes the report as one JSON object; ReadJSON reads it.
func JSON(w io.Writer, r audit.Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// ReadJSON reads a report that JSON wrote.
func ReadJSON(b []byte) (audit.Report, error) {
	var r audit.Report
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("this is no report of an audit: %w", err)
	}
	if len(r.Verdicts) == 0 {
		return r, fmt.Errorf("this is no report of an audit: it has no verdicts")
	}
	return r, nil
}

// Changes are the findings of two reports compared by their fingerprints.
type Changes struct {
	New, Gone, Same []audit.Finding
}

// Compare says what is new in r and what is gone, compared with before.
func Compare(before, r audit.Report) Changes {
	var c Changes
	had := map[string]bool{}
	for _, f := range append(before.Findings(), before.Accepted()...) {
		had[f.Fingerprint] = true
	}
	has := map[string]bool{}
	for _, f := range r.Findings() {
		has[f.Fingerprint] = true
		if had[f.Fingerprint] {
			c.Same = append(c.Same, f)
		} else {
			c.New = append(c.New, f)
		}
	}
	for _, f := range r.Accepted() { // it was there before
		has[f.Fingerprint] = true
	}
	for _, f := range before.Findings() {
		if !has[f.Fingerprint] {
			c.Gone = append(c.Gone, f)
		}
	}
	return c
}

// Text writes what changed for a terminal.
func (c Changes) Text(w io.Writer) error {
	p := &printer{w: w}
	p.f("since the baseline: %d new, %d gone, %d the same\n", len(c.New), len(c.Gone), len(c.Same))
	for _, f := range c.New {
		p.f("  new   %-4s %s: %s\n", f.Severity, f.Check, clean(f.Says))
	}
	for _, f := range c.Gone {
		p.f("  gone  %-4s %s: %s\n", f.Severity, f.Check, clean(f.Says))
	}
	return p.err
}
