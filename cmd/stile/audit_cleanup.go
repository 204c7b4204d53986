package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/auditor/report"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage/filestore"
)

// residueSuffix is added to the name of a report for the file that holds what
// ends the leftovers.
const residueSuffix = ".residue"

// residueFile keeps what would end the leftovers of an audit under way, so that
// they are known even if the process is killed. It is beside the report, or in
// the directory of the store.
type residueFile struct {
	a              *app
	target, output string
	name           string
	before         []audit.Leftover
	err            error
}

func (k *residueFile) keep(left []audit.Leftover) {
	if k.name == "" && k.err == nil {
		k.name, k.err = k.place()
		if r, err := auditor.ReadResidue(k.name); err == nil {
			k.before = r.Left // of an earlier audit with the same report
		}
	}
	if k.err == nil {
		k.err = auditor.Residue{Target: k.target, Left: append(slices.Clone(k.before), left...)}.Write(k.name)
	}
}

func (k *residueFile) place() (string, error) {
	if k.output != "" {
		return k.output + residueSuffix, nil
	}
	dir, err := filestore.DefaultDir(k.a.getenv)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(filepath.Dir(dir), "stile-audit")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dir, time.Now().UTC().Format("20060102T150405.000")+residueSuffix), nil
}

// subject is the argument for stile audit cleanup.
func (k *residueFile) subject() string {
	if k.output != "" {
		return k.output
	}
	return k.name
}

func newAuditCleanup(a *app) *cobra.Command {
	var allowPrivate []string
	var secretFile string
	c := &cobra.Command{
		Use:   "cleanup REPORT",
		Short: "Delete the registrations and revoke the grants that an audit left behind",
		Long: `Ends what a report lists as left behind. The tokens for that are not in the report,
which may be shared. They are beside it in REPORT.residue, a file that only you can
read; an audit without -o keeps this file in the state directory and says where.
REPORT may also be that file itself. The command removes from the file what it has
ended, and deletes the file when it is empty.

If a grant belongs to a client with a secret, give the secret again with
--client-secret-file or STILE_CLIENT_SECRET.`,
		Example: `  stile audit http://localhost:8001/mcp --login --format json -o report.json
  stile audit cleanup report.json`,
		Args: takes("REPORT"),
		RunE: func(c *cobra.Command, given []string) error {
			secret := wire.Secret(a.getenv("STILE_CLIENT_SECRET"))
			if secretFile != "" {
				var err error
				if secret, err = readSecret(a, "--client-secret-file", secretFile); err != nil {
					return err
				}
			}
			return a.auditCleanup(c.Context(), given[0], secret, allowPrivate)
		},
	}
	c.Flags().StringArrayVar(&allowPrivate, "allow-private", nil, "a private host, address or network that the command may contact (repeatable)")
	c.Flags().StringVar(&secretFile, "client-secret-file", "", "the `FILE` that holds the secret of the client that the audit used; - is standard input (default: STILE_CLIENT_SECRET)")
	return c
}

func (a *app) auditCleanup(ctx context.Context, name string, secret wire.Secret, allowPrivate []string) error {
	kept, r, err := readResidue(name)
	if err != nil {
		return err
	}
	if len(r.Left) == 0 {
		return a.result(cleanup{}, func() { a.say("Nothing is left behind.\n") })
	}
	g, err := guard.New(guard.Options{AllowPrivate: allowPrivate, AllowPrivateName: "--allow-private", AllowLoopbackHTTP: wire.IsLoopbackHTTP(r.Target)})
	if err != nil {
		return usage("%v", err)
	}
	defer g.CloseIdleConnections()
	var out cleanup
	rest := r.Clean(ctx, secret, auditor.Options{Guard: g, Budget: auditor.BudgetEnd, UserAgent: "stile-audit"}, func(l audit.Leftover, gone bool) {
		if gone {
			out.Ended = append(out.Ended, l)
		} else {
			out.Left = append(out.Left, l)
		}
	})
	if kept != "" {
		if err := rest.Write(kept); err != nil {
			return failed("%v", err)
		}
	}
	if err := a.result(out, func() {
		for _, l := range out.Ended {
			a.say("ended  %s of %s\n", string(l.Kind), l.ClientID)
		}
		for _, l := range out.Left {
			a.say("stays  %s of %s at %s: %s\n", string(l.Kind), l.ClientID, l.Endpoint, l.Why)
		}
	}); err != nil {
		return err
	}
	if len(out.Left) > 0 {
		return failed("%s", plural(len(out.Left), "leftover")+" could not be ended; tell the operator of the server, or try again")
	}
	return nil
}

// cleanup is what --json prints.
type cleanup struct {
	Ended []audit.Leftover `json:"ended,omitempty"`
	Left  []audit.Leftover `json:"left,omitempty"`
}

// readResidue finds the residue of a report: beside it, or the file itself. A
// report without a residue gives what it lists, without what would end it.
func readResidue(name string) (kept string, _ auditor.Residue, _ error) {
	for _, n := range []string{name, name + residueSuffix} {
		r, err := auditor.ReadResidue(n)
		if err == nil {
			return n, r, nil
		}
		if n != name && !errors.Is(err, fs.ErrNotExist) {
			return "", r, failed("%v", err)
		}
	}
	b, err := readRecording(name)
	if err != nil {
		return "", auditor.Residue{}, failed("%v", err)
	}
	r, err := report.ReadJSON(b)
	if err != nil {
		return "", auditor.Residue{}, &failure{code: exitUsage, err: fmt.Errorf("%s: %w", name, err), advice: "give a report of --format json, or the file of residue that the audit named"}
	}
	return "", auditor.Residue{Target: r.Target, Left: r.Leftovers}, nil
}
