package report

import (
	"encoding/xml"
	"fmt"
	"io"

	"github.com/stile-oauth/stile/fsm/audit"
)

type testSuites struct {
	XMLName xml.Name    `xml:"testsuites"`
	Suites  []testSuite `xml:"testsuite"`
}

type testSuite struct {
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Skipped  int        `xml:"skipped,attr"`
	Cases    []testCase `xml:"testcase"`
}

type testCase struct {
	Class    string    `xml:"classname,attr"`
	Name     string    `xml:"name,attr"`
	Failures []failure `xml:"failure,omitempty"`
	Skipped  *skipped  `xml:"skipped,omitempty"`
}

type failure struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type skipped struct {
	Message string `xml:"message,attr"`
}

// JUnit writes the XML that continuous integration reads: a suite is a family,
// a case a check. What could not be run is skipped.
func JUnit(w io.Writer, r audit.Report) error {
	var out testSuites
	for _, family := range audit.Families {
		s := testSuite{Name: "audit " + family.Title}
		for _, v := range r.Verdicts {
			c, ok := audit.Lookup(v.Check)
			if !ok || c.Family() != family.Name {
				continue
			}
			tc := testCase{Class: "audit." + family.Name, Name: c.ID + ": " + c.Passes}
			for _, f := range v.Findings {
				if f.Accepted != nil {
					continue
				}
				tc.Failures = append(tc.Failures, failure{string(f.Severity), clean(f.Says),
					fmt.Sprintf("expected %s\nfound %s\n%s\nrule %s\nfix: %s\n", clean(f.Want), clean(f.Got), clean(f.Shown), cited(f.Rules[0]), f.Fix)})
			}
			s.Tests++
			if len(tc.Failures) > 0 {
				s.Failures++
			} else if v.Outcome == audit.Warn || v.Outcome == audit.CouldNotRun || v.Outcome == audit.NotApplicable {
				s.Skipped++
				tc.Skipped = &skipped{string(v.Outcome) + ": " + clean(v.Why)}
			}
			s.Cases = append(s.Cases, tc)
		}
		if s.Tests > 0 {
			out.Suites = append(out.Suites, s)
		}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
