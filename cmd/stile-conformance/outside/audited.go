package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/guard"
)

// auditTime is the time limit for the audit of one world.
const auditTime = 3 * time.Minute

// auditName is the name of the audit's lines.
const auditName = "stile audit, every level"

// explained is what the audit finds in well-behaved servers, by check. Somebody has
// looked at each finding, and it is true.
type explained map[string]string

const (
	noList    = "the development server has no list of resources here, so every one can be asked for"
	noGrace   = "a spent refresh token ends the login at once: the rule for a grace is no duty"
	stateless = "a JWT is good until its end for a server that does not ask the issuer"
	noCheck   = "neither the go-sdk's handler nor package bearer looks at Origin; a page of another site has no token"
)

// goSDKExplained is true of the go-sdk's server behind bearer and stile serve as.
var goSDKExplained = explained{"ch.origin": noCheck, "az.bad-resource": noList, "ref.concurrent": noGrace}

// oursExplained is true of stile serve as and rs.
var oursExplained = explained{"az.bad-resource": noList, "ref.concurrent": noGrace}

// jwtExplained is true if tokens are JWTs that a resource server verifies itself.
var jwtExplained = explained{"ch.origin": noCheck, "az.bad-resource": noList, "ref.concurrent": noGrace, "lg.code-reuse-revokes": stateless, "rev.at": stateless}

// documentExplained is true of oidc-provider if clients have documents and do not register.
var documentExplained = explained{"ch.origin": noCheck, "asm.scopes": oidcExplained["asm.scopes"], "asm.cors-cache": oidcExplained["asm.cors-cache"]}

// oidcJWTExplained is true of oidc-provider if its tokens are JWTs.
var oidcJWTExplained = explained{
	"ch.origin": noCheck, "lg.code-reuse-revokes": stateless, "int.state": "it introspects no JWTs, not even its own",
	"reg.fragment-wild": oidcExplained["reg.fragment-wild"], "reg.http-redirect": oidcExplained["reg.http-redirect"],
	"reg.manage": oidcExplained["reg.manage"], "reg.app-type": oidcExplained["reg.app-type"], "asm.scopes": oidcExplained["asm.scopes"], "asm.cors-cache": oidcExplained["asm.cors-cache"],
}

// oidcExplained is true of oidc-provider, configured as its documentation shows.
var oidcExplained = explained{
	"ch.origin":         noCheck,
	"reg.fragment-wild": "a host with * is registered, and compared as it is",
	"reg.http-redirect": "it registers plain http for web clients",
	"reg.app-type":      "it registers loopback redirects for web clients too: OpenID Connect forbids them only in the implicit flow",
	"reg.manage":        "it gives a management address although deletions are turned off",
	"asm.scopes":        "it publishes the scopes of OpenID Connect only, not those of resources",
	"asm.cors-cache":    "its metadata has no Cache-Control",
}

// account is the audit's client in a world of our own servers.
func (w *world) account() *audit.Account {
	a := &audit.Account{ClientID: w.client, RedirectURI: "http://127.0.0.1:4711/callback", Seed: auditor.Seed(), Tool: "whoami",
		IntrospectID: devas.RSClientID, IntrospectSecret: devas.RSClientSecret}
	if w.document != "" {
		a.ClientID = w.document
	}
	return a
}

// audited runs the audit with every safety level against the servers of a world. Every
// finding has to be explained, and everything that is explained has to be found.
func (w *world) audited(ctx context.Context, account *audit.Account, explained explained) kit.Row {
	r := kit.Row{Group: w.name, Name: auditName}
	ctx, cancel := context.WithTimeout(ctx, auditTime)
	defer cancel()
	report, err := w.audit(ctx, account)
	if err != nil {
		r.Fault("%v", err)
		return r
	}
	var found []string
	for _, f := range report.Findings() {
		line := fmt.Sprintf("%s (%s): %s; wanted %q, got %q: %s", f.Check, f.Severity, f.Says, f.Want, f.Got, f.Shown)
		r.Output = append(r.Output, line)
		if found = append(found, f.Check); explained[f.Check] == "" {
			r.Fault("%s", line)
		}
	}
	for _, check := range slices.Sorted(maps.Keys(explained)) {
		if why := explained[check]; !slices.Contains(found, check) {
			r.Fault("%s is explained (%s) and finds nothing", check, why)
		}
	}
	for _, v := range report.Verdicts {
		if v.Outcome == audit.CouldNotRun {
			r.Output = append(r.Output, v.Check+" could not be run: "+v.Why)
		}
	}
	for _, l := range report.Leftovers {
		r.Output = append(r.Output, fmt.Sprintf("left: %+v", l))
	}
	r.Said = fmt.Sprintf("%d passed, %d explained, %d could not be run", report.Count(audit.Pass), len(explained), report.Count(audit.CouldNotRun))
	if report.Count(audit.Pass) < 80 {
		r.Fault("only %d checks passed", report.Count(audit.Pass))
	}
	return r
}

func (w *world) audit(ctx context.Context, a *audit.Account) (audit.Report, error) {
	g, err := guard.New(guard.Options{AllowLoopbackHTTP: true})
	if err != nil {
		return audit.Report{}, err
	}
	defer g.CloseIdleConnections()
	checks := audit.Select(audit.Options{Active: true, Register: true, Login: true, Destructive: true, Client: a.ClientID != ""})
	e, err := auditor.Run(ctx, w.resource, checks, auditor.Options{
		Guard: g, Budget: auditor.BudgetLogin, Account: a,
		Browser: func(ctx context.Context, v auditor.Visit) (auditor.Arrival, error) {
			callback, err := browser{}.visit(ctx, v.URL)
			return auditor.Arrival{Callback: callback}, err
		},
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Judge(&e, checks), nil
}
