package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/audit"
)

// The exit statuses of an audit, besides those of every command. The worst severity
// decides.
const (
	exitUnreachable = 3
	exitFoundLow    = 11 // info or low
	exitFoundMedium = 12
	exitFoundHigh   = 13
	exitFoundCrit   = 14
)

// auditFlags are the flags that every audit takes.
type auditFlags struct {
	only, skip []string
	format     string
	failOn     string
	evidence   string
	output     string
	baseline   string
	policy     string
}

func (f *auditFlags) register(c *cobra.Command) {
	fl := c.Flags()
	fl.StringSliceVar(&f.only, "only", nil, "run these checks or families only, such as ch.present,asm")
	fl.StringSliceVar(&f.skip, "skip", nil, "leave these checks or families out")
	fl.StringVar(&f.format, "format", "text", "text, json, sarif, junit, markdown or html")
	fl.StringVar(&f.failOn, "fail-on", "low", "the lowest severity for which the exit status is not 0: info, low, med, high, crit or none")
	fl.StringVar(&f.evidence, "evidence", "", "keep the exchanges in this file, for stile audit replay")
	fl.StringVarP(&f.output, "output", "o", "", "write the report to this file")
	fl.StringVar(&f.baseline, "baseline", "", "a report of an earlier audit (--format json): report what is new and what is gone, and fail on new findings only")
	fl.StringVar(&f.policy, "policy", "", "a `FILE` of accepted deviations, each with who accepted it, why and until when; they are shown but do not count")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(auditFormats, cobra.ShellCompDirectiveNoFileComp))
}

var auditFormats = []string{"text", "json", "sarif", "junit", "markdown", "html"}

func newAudit(a *app) *cobra.Command {
	var l liveAudit
	c := &cobra.Command{
		Use:   "audit URL",
		Short: "Find out what a server does wrong, on which bytes and by which clause",
		Long: `Audits an MCP server and the authorization servers that it names, or a recording.

Without flags, an audit of a server is passive: it reads published documents and
sends a few MCP requests without a token, as any client does. --active also
sends wrong tokens and headers. --register registers clients, some of them
wrongly, and opens the authorization endpoint as one of them. --login does the
same, asks for one login and uses the token as a client does, and for one more
where the issuer offers tokens that are bound to a key. --destructive asks for six
more logins and uses up each of them: a login without resource, a code that is sent
wrongly, a code that is sent twice, a refresh token that is used again, a refresh
token that is spent twice at once, a revocation.

At the end, even if it was interrupted, the audit revokes what was granted, and
deletes what was registered or lists it in the report. For a server that is not on
this machine, these four flags need --authorized, which says who allowed the audit
and why. --plan prints the requests that are known beforehand and sends none.

The checks, and how to fix what they find, are in docs/audit.md.

Exit status:
  0   nothing at or above --fail-on
  1   interrupted, or failed for another reason
  2   wrong usage
  3   the server cannot be reached
  11  the worst finding is info or low
  12  the worst finding is med
  13  the worst finding is high
  14  the worst finding is crit`,
		Example: `  stile audit https://mcp.example/mcp
  stile audit https://mcp.example/mcp --format sarif --fail-on high
  stile audit http://localhost:8001/mcp --active --login --destructive \
    --as-user demo_user
  stile audit as https://login.example --active --client-id app
  stile audit trace run.ndjson
  stile audit har browser.har --format html -o audit.html`,
		Args: takes("URL"),
		RunE: func(c *cobra.Command, given []string) error { return l.run(c.Context(), a, given[0]) },
	}
	l.register(c)
	c.AddCommand(newAuditAS(a), newAuditCleanup(a), newAuditTrace(a), newAuditHAR(a), newAuditClient(a), newAuditReplay(a), newAuditChecks(a))
	return c
}

// checks gives the selected checks, and refuses names that do not exist.
func (f *auditFlags) checks(o audit.Options) ([]audit.Check, error) {
	for _, name := range slices.Concat(f.only, f.skip) {
		if !knownCheck(name) {
			return nil, &failure{code: exitUsage, err: fmt.Errorf("%q is neither a check nor a family", name), advice: "stile audit checks lists them"}
		}
	}
	if err := f.sound(); err != nil {
		return nil, err
	}
	o.Only, o.Skip = f.only, f.skip
	checks := audit.Select(o)
	if len(checks) == 0 {
		return nil, &failure{code: exitUsage, err: errors.New("no check is selected"), advice: "some checks need --active; stile audit checks says which"}
	}
	return checks, nil
}

// traps gives the selected traps, and refuses names that do not exist.
func (f *auditFlags) traps() ([]audit.Trap, error) {
	all := audit.Traps()
	for _, name := range slices.Concat(f.only, f.skip) {
		if !slices.ContainsFunc(all, func(t audit.Trap) bool { return t.ID == name }) && name != "cl" {
			return nil, &failure{code: exitUsage, err: fmt.Errorf("%q is not a trap", name), advice: "stile audit client --list lists them"}
		}
	}
	return audit.SelectTraps(f.only, f.skip...), f.sound()
}

// sound refuses, before anything is sent or run, what the report could not be made with.
func (f *auditFlags) sound() error {
	if _, ok := audit.ParseSeverity(f.failOn); !ok && f.failOn != "none" {
		return usage("--fail-on: %q is not one of info, low, med, high, crit, none", f.failOn)
	}
	if err := oneOf("--format", f.format, auditFormats...); err != nil {
		return err
	}
	if _, err := f.before(); err != nil {
		return err
	}
	_, err := f.readPolicy()
	return err
}

func knownCheck(name string) bool {
	for _, c := range audit.Table() {
		if c.ID == name || c.Family() == name {
			return true
		}
	}
	return false
}

func newAuditChecks(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "checks [ID]", Short: "List the checks, or show one", Args: takes("[ID]"),
		RunE: func(c *cobra.Command, given []string) error {
			for _, check := range audit.Table() {
				if len(given) == 1 && check.ID != given[0] && check.Family() != given[0] {
					continue
				}
				switch {
				case a.json:
					if err := a.printJSON(a.out, check); err != nil {
						return err
					}
				case len(given) == 1 && check.ID == given[0]:
					a.say("%s (%s, %s, %s)\n%s\nPasses when: %s\nWhy: %s\nFix: %s\n", check.ID, string(check.Severity), string(check.Safety), string(check.Threat), check.Does, check.Passes, check.Why, check.Fix)
					for _, id := range check.Rules {
						a.say("Rule: %s\n", string(id))
					}
				default:
					a.say("%-24s %-4s %-8s %s\n", check.ID, string(check.Severity), string(check.Safety), check.Passes)
				}
			}
			if len(given) == 1 && !knownCheck(given[0]) {
				return &failure{code: exitUsage, err: fmt.Errorf("%q is neither a check nor a family", given[0]), advice: "stile audit checks lists them"}
			}
			return nil
		},
	}
}
