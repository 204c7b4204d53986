package auditor_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/guard"
)

// development starts the development servers as they stand, and gives the address of the
// protected one.
func development(tb testing.TB) string {
	tb.Helper()
	return changed(tb, func(*devas.ASConfig, *devas.RSConfig) {}, nil)
}

// changed starts the development servers with a change. What is in front of the
// protected server, if anything, sees each request before it.
func changed(tb testing.TB, change func(*devas.ASConfig, *devas.RSConfig), front func(http.Handler) http.Handler) (resource string) {
	tb.Helper()
	listen := func() (*httptest.Server, string) {
		s := httptest.NewUnstartedServer(nil)
		s.Start()
		tb.Cleanup(s.Close)
		return s, "http://" + strings.Replace(s.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	}
	as, issuer := listen()
	rs, resource := listen()
	resource += "/mcp"
	ac, rc := devas.DefaultAS(issuer), devas.RSConfig{Resource: resource, Issuers: []string{issuer}, Scopes: []string{"user"}}
	ac.Resources = []string{resource}
	change(&ac, &rc)
	server, err := devas.NewAS(ac)
	if err != nil {
		tb.Fatal(err)
	}
	as.Config.Handler = server
	rc.Verifier = server.Verifier()
	protected, err := devas.NewRS(rc)
	if err != nil {
		tb.Fatal(err)
	}
	rs.Config.Handler = protected
	if front != nil {
		rs.Config.Handler = front(protected)
	}
	return resource
}

// logIn audits servers of this machine with every check, or those that are named, and
// plays the user. The account may be changed before.
func logIn(t *testing.T, resource string, account func(*audit.Account), only ...string) (audit.Evidence, audit.Report, []audit.Check) {
	t.Helper()
	return logInWith(t, resource, auditor.Options{}, account, only...)
}

// logInWith does the same with options.
func logInWith(t *testing.T, resource string, o auditor.Options, account func(*audit.Account), only ...string) (audit.Evidence, audit.Report, []audit.Check) {
	t.Helper()
	g, err := guard.New(guard.Options{AllowLoopbackHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.CloseIdleConnections)
	const redirect = "http://127.0.0.1:1/callback" // nobody listens: the browser is played
	a := &audit.Account{RedirectURI: redirect, Seed: auditor.Seed()}
	if account != nil {
		account(a)
	}
	checks := audit.Select(audit.Options{Active: true, Login: true, Destructive: true, Only: only})
	o.Guard, o.Budget, o.Account, o.Browser = g, auditor.BudgetLogin, a, auditor.AsUser(devas.DemoUser, devas.DemoPassword, redirect, second)
	e, err := auditor.Run(t.Context(), resource, checks, o)
	if err != nil {
		t.Fatal(err)
	}
	return e, audit.Judge(&e, checks), checks
}
