package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/trace"
)

// newAuditTrace, newAuditHAR and newAuditReplay judge a recording.
func newAuditTrace(a *app) *cobra.Command {
	return a.auditRecording("trace FILE", "Audit a trace of Stile", false, func(b []byte) (audit.Evidence, error) {
		t, err := trace.Parse(b)
		if err != nil {
			return audit.Evidence{}, err
		}
		return audit.FromTraceFile(t)
	})
}

func newAuditHAR(a *app) *cobra.Command {
	return a.auditRecording("har FILE", "Audit a HAR file of a browser, a proxy or a debugger", false, func(b []byte) (audit.Evidence, error) {
		key := make([]byte, 32)
		_, _ = rand.Read(key)
		return audit.ParseHAR(b, key)
	})
}

func newAuditReplay(a *app) *cobra.Command {
	return a.auditRecording("replay FILE", "Judge again the evidence that --evidence kept", true, audit.ParseEvidence)
}

// auditRecording makes a command that judges a file. clients says that the file
// may hold what a client did in traps.
func (a *app) auditRecording(use, short string, clients bool, read func([]byte) (audit.Evidence, error)) *cobra.Command {
	var f auditFlags
	c := &cobra.Command{
		Use: use, Short: short, Args: takes("FILE"),
		Long: short + `. The command sends nothing. It replaces
secrets by digests before it judges anything, so you can share the report. If the file
cannot show something, the result is "not known", and never a finding.`,
		RunE: func(c *cobra.Command, given []string) error {
			b, err := readRecording(given[0])
			if err != nil {
				return failed("%v", err)
			}
			if all, err := audit.ParseClient(b); clients && !errors.Is(err, audit.ErrNoClient) {
				if err != nil {
					return &failure{code: exitFailed, err: fmt.Errorf("%s: %w", given[0], err)}
				}
				traps, err := f.traps()
				if err != nil {
					return err
				}
				all = slices.DeleteFunc(all, func(e audit.Evidence) bool {
					return !slices.ContainsFunc(traps, func(t audit.Trap) bool { return t.ID == e.Trap })
				})
				return a.clientReport(all, &f)
			}
			e, err := read(b)
			if err != nil {
				return &failure{code: exitFailed, err: fmt.Errorf("%s: %w", given[0], err)}
			}
			if len(f.only) == 0 {
				f.only = e.Checks
			}
			checks, err := f.checks(audit.Options{Recording: e.Source != audit.LiveServer, Active: e.Source == audit.LiveServer, Register: e.Source == audit.LiveServer, Login: e.Source == audit.LiveServer, Destructive: true})
			if err != nil {
				return err
			}
			return a.auditReport(&e, checks, &f)
		},
	}
	f.register(c)
	return c
}

// readRecording refuses a file over the bound before it is read.
func readRecording(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if st, err := file.Stat(); err == nil && st.Size() > audit.MaxRecording {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are read", name, st.Size(), int64(audit.MaxRecording))
	}
	return io.ReadAll(io.LimitReader(file, audit.MaxRecording))
}
