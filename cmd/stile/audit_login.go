package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/loopback"
	"github.com/stile-oauth/stile/states/wire"
)

// auditLogin are the flags of an audit that logs in.
type auditLogin struct {
	registers, login, destructive, slow bool

	asUser, clientID, scope, redirect string
	secretFile, resource              string
	other, tool, introspect, private  string

	auditKeys

	consent, second bool
	asSecond        string
}

// any reports whether the audit does more than read and send wrong tokens.
func (l *auditLogin) any() bool { return l.registers || l.login }

// register adds the flags; alone leaves out those that need an MCP server.
func (l *auditLogin) register(fl *pflag.FlagSet, alone bool) {
	fl.BoolVar(&l.registers, "register", false, "also register clients, some of them wrongly, and open the authorization endpoint as one; registrations are deleted at the end, or listed")
	fl.BoolVar(&l.login, "login", false, "do what --register does, log in once, and use the token as a client does; once more if the issuer offers tokens that are bound to a key")
	fl.BoolVar(&l.destructive, "destructive", false, "with --login: log in six more times, and use up each of these logins; up to six more are needed if the issuer takes requests without a code challenge, or ends a code at its first wrong exchange")
	if alone {
		fl.StringVar(&l.resource, "resource", "", "the resource to ask for tokens for, if the issuer requires one")
	} else {
		l.registerUse(fl)
	}
	fl.StringVar(&l.introspect, "introspect-client", "", "with --login: a client that may introspect; its secret is $STILE_INTROSPECT_SECRET")
	fl.StringVar(&l.private, "private-host", "", "a name of yours that leads into a private network: the issuer must fetch no client document from it")
	fl.BoolVar(&l.consent, "consent", false, "with --login: open two more pages on which you touch nothing, and one on which you deny; with --as-user, always")
	l.auditKeys.register(fl)
	fl.StringVar(&l.asUser, "as-user", "", "act as this user at a development server on this machine, instead of opening a browser; the password is $STILE_AUDIT_PASSWORD, or the published one of stile serve as")
	fl.StringVar(&l.clientID, "client-id", "", "act as this client instead of registering one")
	fl.StringVar(&l.secretFile, "client-secret-file", "", "the `FILE` that holds the secret of --client-id; - is standard input (default: STILE_CLIENT_SECRET)")
	fl.StringVar(&l.scope, "scope", "", "scopes to ask for, separated by spaces, instead of those that the server names")
	fl.StringVar(&l.redirect, "redirect-uri", "", "the redirect URI of the client of --client-id; it must be on loopback if a user logs in")
	needs(fl, "login", "destructive", "introspect-client", "consent", "as-user")
	needs(fl, doesMore, "client-id")
	needs(fl, "client-id", "client-secret-file")
	needs(fl, "client-id|register|login", "scope", "redirect-uri", "private-host")
	if alone {
		needs(fl, "client-id|register|login", "resource")
	} else {
		needs(fl, "login", "slow", "second-user", "as-second-user", "other-resource", "tool")
		needs(fl, "as-user", "as-second-user")
	}
}

// doesMore are the flags with which an audit does more than read.
const doesMore = "active|register|login"

// registerUse adds the flags that are about the use of a token.
func (l *auditLogin) registerUse(fl *pflag.FlagSet) {
	fl.BoolVar(&l.slow, "slow", false, "with --login: wait until the token has expired, two hours at most, and log in once more for a code that is sent ten minutes late")
	fl.BoolVar(&l.second, "second-user", false, "with --login: one more login, as another user, whose token must not open a session of the first one")
	fl.StringVar(&l.asSecond, "as-second-user", "", "with --as-user: the user of --second-user; the password is $STILE_AUDIT_SECOND_PASSWORD")
	fl.StringVar(&l.other, "other-resource", "", "with --login: another resource of the same issuer; one more login gets a token for it, which this server must not accept")
	fl.StringVar(&l.tool, "tool", "", "with --login: the name of a harmless tool that needs more scopes than the login asks for; it is called without arguments, and one more login follows its challenge")
}

// oddLogins is how many more logins --destructive may need: one for each wrong way to
// send a code, if a code does not outlive a wrong exchange, and one that shows what a
// request without a challenge leads to, if that goes on. One login with a proof of
// possession comes to it, if the issuer offers that, and one without if the server says that
// it takes bound tokens alone.
const (
	oddLogins   = 6
	proofLogins = 2
)

// logins is how often the user is asked, if nothing is refused: as a rule, and at most.
func (l *auditLogin) logins() (n, most int) {
	n = 1
	for _, more := range []bool{l.other != "", l.tool != "", l.slow, l.second} {
		if more {
			n++
		}
	}
	if !l.destructive {
		return n, n + proofLogins
	}
	return n + 6, n + 6 + proofLogins + oddLogins
}

// beyond says why there may be more logins.
func (l *auditLogin) beyond() string {
	out := ", and for one or two more if the issuer offers tokens that are bound to a key"
	if l.destructive {
		out += fmt.Sprintf(", and for up to %d more if it takes requests without a code challenge, or ends a code at its first wrong exchange", oddLogins)
	}
	return out
}

// auditAccount prepares the logins; end frees the port of the answers.
func (a *app) auditAccount(ctx context.Context, l *auditLogin, o *auditor.Options) (end func(), err error) {
	secret := wire.Secret(a.getenv("STILE_CLIENT_SECRET"))
	if l.secretFile != "" {
		if secret, err = readSecret(a, "--client-secret-file", l.secretFile); err != nil {
			return nil, err
		}
	}
	if l.clientID == "" {
		secret = "" // the secret belongs to a client that the audit does not use
	}
	o.Account = &audit.Account{ClientID: l.clientID, ClientSecret: secret, RedirectURI: l.redirect, Scope: l.scope, Seed: auditor.Seed(), Resource: l.resource,
		Other: l.other, Tool: l.tool, Private: l.private, IntrospectID: l.introspect, IntrospectSecret: wire.Secret(a.getenv("STILE_INTROSPECT_SECRET")), Slow: l.slow}
	l.second = l.second || l.asSecond != ""
	o.Account.Consent, o.Account.Another = l.consent || l.asUser != "", l.second
	if err := l.read(a, o); err != nil {
		return nil, err
	}
	o.Budget = auditor.BudgetClient
	if !l.login && l.redirect != "" { // nobody comes back
		return func() {}, nil
	}
	r, err := loopback.Listen(loopback.Options{RedirectURI: l.redirect})
	if err != nil {
		return nil, usage("%v", err)
	}
	o.Account.RedirectURI = r.RedirectURI()
	if !l.login {
		return func() { _ = r.Close() }, nil
	}
	o.Budget = auditor.BudgetLogin
	if l.asUser != "" {
		password := a.getenv("STILE_AUDIT_PASSWORD")
		if password == "" && l.asUser == devas.DemoUser {
			password = devas.DemoPassword
		}
		var others []auditor.Person
		if l.second {
			others = append(others, auditor.Person{Name: l.asSecond, Password: a.getenv("STILE_AUDIT_SECOND_PASSWORD")})
		}
		o.Browser = auditor.AsUser(l.asUser, password, r.RedirectURI(), others...)
		return func() { _ = r.Close() }, nil
	}
	n := 0
	many, most := l.logins()
	a.note("This audit asks for %s%s. What is granted is revoked at the end.\n", plural(many, "login"), l.beyond())
	browse := a.browse
	if browse == nil {
		browse = loopback.OpenBrowser
	}
	o.Browser = auditor.Receive(r, auditor.IdleTime, func(ctx context.Context, v auditor.Visit) error {
		switch v.Manner {
		case audit.Idle:
			a.note("Touch nothing on this page; log in if you are asked to. The audit waits a little and goes on: %s\n", v.URL)
		case audit.Denies:
			a.note("Deny what this page asks for: %s\n", v.URL)
		default:
			n++
			if n > many {
				many = most
			}
			who := ""
			if v.Manner == audit.Another {
				who = ", as another user: log out first, or use a private window"
			}
			a.note("Login %d of %d%s: %s\n", n, many, who, v.URL)
		}
		if err := browse(ctx, v.URL); err != nil && !errors.Is(err, loopback.ErrNoBrowser) {
			return fmt.Errorf("the browser could not be started: %w", err)
		}
		return nil
	})
	return func() { _ = r.Close() }, nil
}
