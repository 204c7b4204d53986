package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor/report"
)

// auditReport judges the evidence, writes what was asked for, and gives the
// exit status as an error.
func (a *app) auditReport(e *audit.Evidence, checks []audit.Check, f *auditFlags) error {
	r := audit.Judge(e, checks)
	if e.Account != nil {
		key := make([]byte, 32)
		_, _ = rand.Read(key)
		audit.RedactReport(e, &r, key)
	}
	if err := f.accept(&r); err != nil {
		return err
	}
	changes, err := a.auditFiles(f, func() ([]byte, error) { return audit.MarshalEvidence(*e) }, r, r, e)
	if err != nil {
		return err
	}
	if !answeredAtAll(e) {
		return &failure{code: exitUnreachable, see: "exit-5", err: errors.New("no request was answered, so nothing was found out"), advice: "check the address; stile audit --plan shows what is sent"}
	}
	return f.verdict(r, changes)
}

// auditFiles writes the evidence, if f asks for it, and the report shown with the evidence
// e. It gives what has changed in r since the baseline.
func (a *app) auditFiles(f *auditFlags, evidence func() ([]byte, error), r, shown audit.Report, e *audit.Evidence) (*report.Changes, error) {
	if f.evidence != "" {
		b, err := evidence()
		if err != nil {
			return nil, failed("the evidence cannot be written: %v", err)
		}
		if err := os.WriteFile(f.evidence, b, 0o600); err != nil {
			return nil, failed("%v", err)
		}
	}
	changes, err := f.compare(r)
	if err != nil {
		return nil, err
	}
	out, closeOut, err := a.auditOutput(f)
	if err != nil {
		return nil, err
	}
	err = a.auditWrite(out, shown, e, f, changes)
	if cerr := closeOut(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, failed("the report cannot be written: %v", err)
	}
	return changes, nil
}

func answeredAtAll(e *audit.Evidence) bool {
	for _, x := range e.Exchanges {
		if x.Response != nil || e.Source != audit.LiveServer {
			return true
		}
	}
	return false
}

func (a *app) auditOutput(f *auditFlags) (io.Writer, func() error, error) {
	if f.output == "" {
		return a.out, func() error { return nil }, nil
	}
	file, err := os.Create(f.output)
	if err != nil {
		return nil, nil, failed("%v", err)
	}
	return file, file.Close, nil
}

func (a *app) auditWrite(w io.Writer, r audit.Report, e *audit.Evidence, f *auditFlags, changes *report.Changes) error {
	format := f.format
	if a.json && format == "text" {
		format = "json"
	}
	switch format {
	case "text":
		if err := report.Text(w, r, report.Style{Colour: f.output == "" && a.colours(a.out)}); err != nil || changes == nil {
			return err
		}
		return changes.Text(w)
	case "json":
		return report.JSON(w, r)
	case "sarif":
		return report.SARIF(w, r)
	case "junit":
		return report.JUnit(w, r)
	case "markdown":
		return report.Markdown(w, r)
	default: // html: sound has refused any other
		return report.HTML(w, r, e)
	}
}

// accept applies the policy, where there is one.
func (f *auditFlags) accept(r *audit.Report) error {
	p, err := f.readPolicy()
	if err != nil || f.policy == "" {
		return err
	}
	p.Apply(r, time.Now())
	return nil
}

// readPolicy reads the policy; an empty one when there is none.
func (f *auditFlags) readPolicy() (audit.Policy, error) {
	if f.policy == "" {
		return audit.Policy{}, nil
	}
	file, err := os.Open(f.policy)
	if err != nil {
		return audit.Policy{}, usage("--policy: %w", err)
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, report.MaxPolicy+1))
	if err != nil {
		return audit.Policy{}, usage("--policy: %w", err)
	}
	if len(b) > report.MaxPolicy {
		return audit.Policy{}, usage("--policy: %s is over %d bytes", f.policy, report.MaxPolicy)
	}
	p, err := report.ReadPolicy(b)
	if err != nil {
		return p, &failure{code: exitUsage, err: fmt.Errorf("--policy: %s: %w", f.policy, err), advice: "docs/audit.md shows one"}
	}
	return p, nil
}

// compare compares with the baseline; nil when there is none.
func (f *auditFlags) compare(r audit.Report) (*report.Changes, error) {
	before, err := f.before()
	if err != nil || f.baseline == "" {
		return nil, err
	}
	c := report.Compare(before, r)
	return &c, nil
}

// before reads the baseline; an empty report when there is none.
func (f *auditFlags) before() (audit.Report, error) {
	if f.baseline == "" {
		return audit.Report{}, nil
	}
	b, err := os.ReadFile(f.baseline)
	if err != nil {
		return audit.Report{}, usage("--baseline: %w", err)
	}
	before, err := report.ReadJSON(b)
	if err != nil {
		return audit.Report{}, &failure{code: exitUsage, err: fmt.Errorf("--baseline: %w", err), advice: "write one with --format json"}
	}
	return before, nil
}

// verdict is the exit status: by the worst finding, of the new ones where there
// is a baseline.
func (f *auditFlags) verdict(r audit.Report, changes *report.Changes) error {
	list := r.Findings()
	if changes != nil {
		list = changes.New
	}
	least, ok := audit.ParseSeverity(f.failOn)
	if !ok || len(list) == 0 || list[0].Severity.Rank() < least.Rank() {
		return nil
	}
	code := map[audit.Severity]int{audit.Info: exitFoundLow, audit.Low: exitFoundLow, audit.Medium: exitFoundMedium, audit.High: exitFoundHigh, audit.Critical: exitFoundCrit}
	return &silent{code: code[list[0].Severity]}
}

// silent is an exit status without a message: the report has said it.
type silent struct{ code int }

func (s *silent) Error() string { return fmt.Sprintf("exit status %d", s.code) }
