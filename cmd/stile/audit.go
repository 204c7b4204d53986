package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// The exit statuses of an audit beside those of every command: what was found
// is told by the worst severity.
const (
	exitUnreachable = 3
	exitFoundLow    = 11 // info or low
	exitFoundMedium = 12
	exitFoundHigh   = 13
	exitFoundCrit   = 14
)

// auditFlags are those that every audit takes.
type auditFlags struct {
	only, skip []string
	format     string
	failOn     string
	evidence   string
	output     string
	baseline   string
}

func (f *auditFlags) register(c *cobra.Command) {
	fl := c.Flags()
	fl.StringSliceVar(&f.only, "only", nil, "run these checks or families only, such as ch.present,asm")
	fl.StringSliceVar(&f.skip, "skip", nil, "leave these checks or families out")
	fl.StringVar(&f.format, "format", "text", "text, json, sarif, junit, markdown or html")
	fl.StringVar(&f.failOn, "fail-on", "low", "the least severity that makes the exit status other than 0: info, low, med, high, crit or none")
	fl.StringVar(&f.evidence, "evidence", "", "keep the exchanges in this file, for stile audit replay")
	fl.StringVarP(&f.output, "output", "o", "", "write the report to this file")
	fl.StringVar(&f.baseline, "baseline", "", "a report of an earlier audit (--format json): tell what is new and what is gone, and fail on new findings only")
}

var auditFormats = []string{"text", "json", "sarif", "junit", "markdown", "html"}

func newAudit(a *app) *cobra.Command {
	var f auditFlags
	var active, plan bool
	var l auditLogin
	var authorized, contact string
	var allowPrivate []string
	c := &cobra.Command{
		Use:   "audit URL",
		Short: "Find out what a server does wrong, on which bytes and by which clause",
		Long: `Audits an MCP server and the authorization servers that it names, or a recording.

Without flags an audit of a server is passive: it reads published documents and
sends a few MCP requests without a token, as any client does. --active also
sends wrong tokens and headers. --register registers clients, some of them
wrongly, and opens the authorization endpoint as one of them. --login does the
same, asks for one login and uses the token as a client does; --destructive asks
for six more, each of which is used up: a login without resource, a code that is
sent wrongly, a code that is sent twice, a refresh token that comes back, one that
is spent twice at once, a revocation. What was granted is revoked at the end, and
what was registered is deleted, or listed in the report. All of these need --authorized, with who allowed it and why, for a server
that is not on this machine. --plan prints the requests that are known beforehand
and sends none.

The checks, and how to mend what they find, are in docs/audit.md.

Exit status:
  0   nothing at or above --fail-on
  2   wrong usage
  3   the server cannot be reached
  11  the worst finding is info or low
  12  the worst finding is med
  13  the worst finding is high
  14  the worst finding is crit`,
		Example: `  stile audit https://mcp.example/mcp
  stile audit https://mcp.example/mcp --format sarif --fail-on high
  stile audit http://localhost:8001/mcp --active --login --destructive --as-user demo_user
  stile audit trace run.ndjson
  stile audit har browser.har --format html -o audit.html`,
		Args: takes("URL"),
		RunE: func(c *cobra.Command, given []string) error {
			target := given[0]
			if bad := wire.CheckURL(target, wire.URLPolicy{AllowLoopbackHTTP: true}); bad != nil {
				return &failure{code: exitUsage, err: fmt.Errorf("%s cannot be audited: %s", wire.Clean(target, 300), bad.Detail),
					advice: "give the https address of the MCP server, or http on localhost, with its path"}
			}
			if l.destructive && !l.login {
				return usage("--destructive needs --login")
			}
			if (active || l.any()) && !wire.IsLoopbackHTTP(target) && strings.TrimSpace(authorized) == "" {
				return &failure{code: exitUsage, err: errors.New("--active, --register and --login do more than read, at a server that is not on this machine"),
					advice: `say who allowed it and why: --authorized "Jane Doe, owner of mcp.example"`}
			}
			checks, err := f.checks(audit.Options{Active: active, Register: l.registers, Login: l.login, Destructive: l.destructive})
			if err != nil {
				return err
			}
			if plan {
				return a.auditPlan(target, checks)
			}
			o := auditorOptions(active, contact)
			if l.any() {
				end, err := a.auditAccount(c.Context(), &l, &o)
				if err != nil {
					return err
				}
				defer end()
			}
			return a.auditServer(c.Context(), target, checks, &f, o, authorized, allowPrivate)
		},
	}
	f.register(c)
	fl := c.Flags()
	fl.BoolVar(&active, "active", false, "also send wrong tokens and headers; nothing is left behind but log lines")
	l.register(fl)
	fl.StringVar(&authorized, "authorized", "", "who allowed active checks, and why; it is written into the report")
	fl.StringVar(&contact, "contact", "", "how the server's operator can reach you; it is sent in the User-Agent")
	fl.BoolVar(&plan, "plan", false, "print what would be sent, and send nothing")
	fl.StringArrayVar(&allowPrivate, "allow-private", nil, "a private host, address or network that servers may name (repeatable)")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(auditFormats, cobra.ShellCompDirectiveNoFileComp))
	c.AddCommand(newAuditTrace(a), newAuditHAR(a), newAuditClient(a), newAuditReplay(a), newAuditChecks(a))
	return c
}

func auditorOptions(active bool, contact string) auditor.Options {
	o := auditor.Options{Budget: auditor.BudgetPassive, UserAgent: "stile-audit"}
	if active {
		o.Budget = auditor.BudgetActive
	}
	if contact != "" {
		o.UserAgent += " (+" + wire.Clean(contact, 100) + ")"
	}
	return o
}

// checks gives the selected checks, and refuses names that do not exist.
func (f *auditFlags) checks(o audit.Options) ([]audit.Check, error) {
	for _, list := range [][]string{f.only, f.skip} {
		for _, name := range list {
			if !knownCheck(name) {
				return nil, &failure{code: exitUsage, err: fmt.Errorf("%q is neither a check nor a family", name), advice: "stile audit checks lists them"}
			}
		}
	}
	if f.failOn != "none" {
		if _, ok := audit.ParseSeverity(f.failOn); !ok {
			return nil, usage("--fail-on: %q is none of info, low, med, high, crit, none", f.failOn)
		}
	}
	o.Only, o.Skip = f.only, f.skip
	checks := audit.Select(o)
	if len(checks) == 0 {
		return nil, &failure{code: exitUsage, err: errors.New("no check is selected"), advice: "some checks need --active; stile audit checks says which"}
	}
	return checks, nil
}

func knownCheck(name string) bool {
	for _, c := range audit.Table() {
		if c.ID == name || c.Family() == name {
			return true
		}
	}
	return false
}

// auditPlan prints what is known to be sent.
func (a *app) auditPlan(target string, checks []audit.Check) error {
	e := audit.Evidence{Target: target, Source: audit.LiveServer}
	probes := audit.Plan(&e, checks)
	if a.json {
		for _, p := range probes {
			if err := a.printJSON(a.out, struct {
				Probe   string       `json:"probe"`
				Request wire.Request `json:"request"`
			}{p.Label, p.Request}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, p := range probes {
		a.say("%-20s %s %s\n", p.Label, p.Request.Method, p.Request.URL)
	}
	a.say("Then the metadata that the answers name. Nothing was sent.\n")
	return nil
}

func (a *app) auditServer(ctx context.Context, target string, checks []audit.Check, f *auditFlags, o auditor.Options, authorized string, allowPrivate []string) error {
	g, err := guard.New(guard.Options{AllowPrivate: allowPrivate, AllowPrivateName: "--allow-private", AllowLoopbackHTTP: wire.IsLoopbackHTTP(target)})
	if err != nil {
		return usage("%v", err)
	}
	defer g.CloseIdleConnections()
	o.Guard = g
	if a.terminal(a.err) && !a.json {
		o.Told = func(p audit.Probe) { a.note("\r\x1b[K%s %s", p.Request.Method, p.Request.URL) }
	}
	e, err := auditor.Run(ctx, target, checks, o)
	if o.Told != nil {
		a.note("\r%s", raw("\x1b[K"))
	}
	if err != nil {
		return failed("the audit was interrupted: %v", err)
	}
	for _, c := range checks {
		e.Checks = append(e.Checks, c.ID)
	}
	if authorized != "" {
		e.Notes = append(e.Notes, "active checks were allowed by: "+wire.Clean(authorized, 300))
	}
	return a.auditReport(&e, checks, f)
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
