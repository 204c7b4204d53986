package httpdriver_test

import (
	"context"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/guard"
)

// An audit of an authorization server that was written by nobody here finds what
// is true, and nothing else.
func TestAuditOfGoOIDC(t *testing.T) {
	w := newIndependent(t)
	g, err := guard.New(guard.Options{AllowLoopbackHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.CloseIdleConnections)
	// go-oidc strips the port of a loopback redirect URI before it looks for it among
	// those that are registered: one that was registered with a port is never found.
	const redirect = "http://127.0.0.1/callback"
	checks := audit.Select(audit.Options{Active: true, Register: true, Login: true, Destructive: true})
	e, err := auditor.Run(t.Context(), w.Server, checks, auditor.Options{
		Guard: g, Budget: auditor.BudgetLogin, Browser: auditor.AsUser("alice", "", redirect),
		Account: &audit.Account{RedirectURI: redirect, Seed: auditor.Seed(), Tool: "admin"},
		Wait:    func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]string{
		"ch.origin":         "package bearer does not look at Origin",
		"az.plain":          "a challenge without a method is taken for S256",
		"az.repeat":         "the first state counts",
		"reg.fragment-wild": "a host with * is registered, and compared as it is",
		"reg.empty":         "redirect_uris may be left out",
		"ref.reuse":         "a spent refresh token is refused, and the newest lives on",
		"asm.cors-cache":    "its metadata has no CORS headers",
		"tok.repeat":        "the first code counts",
		"tok.two-methods":   "a client that is registered for the header is looked for there alone",
	}
	r := audit.Judge(&e, checks)
	found := map[string]bool{}
	for _, f := range r.Findings() {
		if found[f.Check] = true; explained[f.Check] == "" {
			t.Errorf("%s (%s): %s; wanted %q, got %q: %s", f.Check, f.Severity, f.Says, f.Want, f.Got, f.Shown)
		}
	}
	for check, why := range explained {
		if !found[check] {
			t.Errorf("%s finds nothing, although %s", check, why)
		}
	}
	for _, v := range r.Verdicts {
		if v.Outcome == audit.CouldNotRun {
			t.Logf("%s could not be run: %s", v.Check, v.Why)
		}
	}
}
