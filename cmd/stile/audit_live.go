package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// liveAudit is an audit that asks servers: an MCP server and the issuers that it
// names, or an issuer alone.
type liveAudit struct {
	auditFlags
	auditLogin
	alone        bool // an authorization server alone
	active, plan bool
	authorized   string
	contact      string
	origin       string
	allowPrivate []string
}

func (l *liveAudit) register(c *cobra.Command) {
	l.auditFlags.register(c)
	fl := c.Flags()
	fl.BoolVar(&l.active, "active", false, "also send wrong tokens and headers; this leaves nothing behind but log lines")
	l.auditLogin.register(fl, l.alone)
	fl.StringVar(&l.authorized, "authorized", "", "who allowed active checks, and why; it is written into the report")
	needs(fl, doesMore, "authorized")
	fl.StringVar(&l.contact, "contact", "", "how the server's operator can reach you; it is sent in the User-Agent")
	if !l.alone {
		fl.StringVar(&l.origin, "origin", "", "the server's `URL` behind its proxies: it is asked the first question too, and the answers are compared")
	}
	fl.BoolVar(&l.plan, "plan", false, "print what would be sent, and send nothing")
	fl.StringArrayVar(&l.allowPrivate, "allow-private", nil, "a private host, address or network that servers may name (repeatable)")
}

// newAuditAS audits an authorization server without an MCP server.
func newAuditAS(a *app) *cobra.Command {
	l := liveAudit{alone: true}
	c := &cobra.Command{
		Use:   "as ISSUER",
		Short: "Find out what an authorization server does wrong, without an MCP server",
		Long: `Audits an authorization server alone, in the same way as stile audit URL audits those
that an MCP server names. Checks that need a resource are left out: no token is used.

With --client-id, the audit acts as that client, whose secret is in
--client-secret-file or in STILE_CLIENT_SECRET. --active then also opens the
authorization endpoint wrongly as that client, and sends codes and tokens that nobody
issued to the token endpoint. Without --client-id, --register registers a client.`,
		Example: `  stile audit as https://login.example
  stile audit as https://login.example --active --client-id app \
    --redirect-uri http://127.0.0.1:8765/callback
  stile audit as http://localhost:8000 --login --destructive --as-user demo_user`,
		Args: takes("ISSUER"),
		RunE: func(c *cobra.Command, given []string) error { return l.run(c.Context(), a, given[0]) },
	}
	l.register(c)
	return c
}

// run checks the flags before anything is sent.
func (l *liveAudit) run(ctx context.Context, a *app, target string) error {
	kind := "the MCP server, or http on localhost, with its path"
	if l.alone {
		kind = "the issuer, or http on localhost, as the server's metadata names it"
	}
	if bad := wire.CheckURL(target, wire.URLPolicy{AllowLoopbackHTTP: true}); bad != nil {
		return &failure{code: exitUsage, err: fmt.Errorf("%s cannot be audited: %s", wire.Clean(target, 300), bad.Detail), advice: "give the https address of " + kind}
	}
	if l.origin != "" {
		if bad := wire.CheckURL(l.origin, wire.URLPolicy{AllowLoopbackHTTP: true}); bad != nil {
			return usage("--origin %s: %s", wire.Clean(l.origin, 300), bad.Detail)
		}
	}
	if l.alone && !wire.SoundIssuer(target) {
		return usage("%s is not an issuer: it has a query or a fragment", target)
	}
	if (l.active || l.any()) && !wire.IsLoopbackHTTP(target) && strings.TrimSpace(l.authorized) == "" {
		return &failure{code: exitUsage, err: errors.New("--active, --register and --login do more than read, at a server that is not on this machine"),
			advice: `say who allowed it and why: --authorized "Jane Doe, owner of ` + wire.Clean(wire.Origin(target), 100) + `"`}
	}
	checks, err := l.checks(audit.Options{Active: l.active, Register: l.registers, Login: l.login, Destructive: l.destructive, Issuer: l.alone, Client: l.clientID != ""})
	if err != nil {
		return err
	}
	if l.plan {
		return l.show(a, target, checks)
	}
	o := auditor.Options{Alone: l.alone, Origin: l.origin, Budget: auditor.BudgetPassive, UserAgent: "stile-audit"}
	if l.active {
		o.Budget = auditor.BudgetActive
	}
	if l.contact != "" {
		o.UserAgent += " (+" + wire.Clean(l.contact, 100) + ")"
	}
	if l.any() || l.active && l.clientID != "" {
		end, err := a.auditAccount(ctx, &l.auditLogin, &o)
		if err != nil {
			return err
		}
		defer end()
	}
	return l.ask(ctx, a, target, checks, o)
}

// show prints what is known to be sent.
func (l *liveAudit) show(a *app, target string, checks []audit.Check) error {
	e := audit.Evidence{Target: target, Origin: l.origin, Source: audit.LiveServer}
	if l.alone {
		e.Source = audit.LiveIssuer
	}
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

// ask carries the audit out and writes the report.
func (l *liveAudit) ask(ctx context.Context, a *app, target string, checks []audit.Check, o auditor.Options) error {
	g, err := guard.New(guard.Options{AllowPrivate: l.allowPrivate, AllowPrivateName: "--allow-private", AllowLoopbackHTTP: wire.IsLoopbackHTTP(target)})
	if err != nil {
		return usage("%v", err)
	}
	defer g.CloseIdleConnections()
	o.Guard = g
	if a.terminal(a.err) && !a.json {
		o.Told = func(p audit.Probe) { a.note("\r\x1b[K%s %s", p.Request.Method, p.Request.URL) }
	}
	keeper := &residueFile{a: a, target: target, output: l.output}
	if o.Account != nil {
		o.Left = keeper.keep
	}
	e, err := auditor.Run(ctx, target, checks, o)
	if o.Told != nil {
		a.note("\r%s", raw("\x1b[K"))
	}
	stopped := err
	if stopped != nil {
		e.Notes = append(e.Notes, "the audit was interrupted: checks that had not run yet could not be run")
	}
	if stopped != nil && len(e.Leftovers()) > 0 {
		a.notice("interrupted; the audit first revokes and deletes what it made (a second signal skips that)")
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
		if err := auditor.End(end, &e, o); err != nil {
			a.notice(fmt.Sprintf("not all of it could be ended: %v", err))
		}
		cancel()
	}
	if keeper.err != nil {
		a.notice(fmt.Sprintf("what would end the leftovers could not be kept: %v", keeper.err))
	}
	for _, c := range checks {
		e.Checks = append(e.Checks, c.ID)
	}
	if l.authorized != "" {
		e.Notes = append(e.Notes, "active checks were allowed by: "+wire.Clean(l.authorized, 300))
	}
	if len(e.Leftovers()) > 0 && keeper.name != "" {
		e.Notes = append(e.Notes, "what ends the leftovers is kept for stile audit cleanup "+keeper.subject())
	}
	err = a.auditReport(&e, checks, &l.auditFlags)
	var found *silent
	if stopped != nil && (err == nil || errors.As(err, &found)) {
		return failed("the audit was interrupted: %v", stopped)
	}
	return err
}

// endTime is how long an interrupted audit may take to end what it made.
const endTime = 30 * time.Second
