package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states/rules"
)

func newLogin(a *app) *cobra.Command {
	var (
		f         accountFlags
		scopes    []string
		only      bool
		again     bool
		newClient bool
		watching  bool
	)
	c := &cobra.Command{
		Use:   "login URL",
		Short: "Log in to an MCP server",
		Long: `Logs in to the MCP server at URL. The command asks the server for a challenge,
finds out which issuer protects it, registers a client there if there is none,
sends you to a browser and stores the tokens. All commands and programs that
share the store then use them.

If a valid login exists, the command leaves it alone, unless you pass --again or
a --scope that has not been granted. If another process is logging in to the same
server, this command does not wait for it; the first login to finish serves both.

The issuer decides which scopes it grants. The command lists those that it did
not grant (not_granted with --json) and still exits with status 0.`,
		Example: `  stile login https://mcp.example/mcp
  stile login https://mcp.example/mcp --scope files:read --scope files:write
  stile login https://mcp.example/mcp --no-browser     # over SSH: paste back
  stile login https://mcp.example/mcp --watch          # see it as it happens
  stile login https://mcp.example/mcp --client-id my-app \
    --issuer https://login.example --client-secret-file secret.txt`,
		Args: takes("URL"),
		RunE: func(c *cobra.Command, given []string) (err error) {
			if watching {
				w, err := a.watch(c.Context(), "Login to "+given[0], f.noBrowser)
				if err != nil {
					return err
				}
				f.watch = w
			}
			defer func() {
				if f.watch != nil {
					err = errors.Join(err, f.watch.close(c.Context(), err))
				}
			}()
			cl, err := f.openWith(c.Context(), a, given[0], f.openOrCreate, func(cf *httpdriver.Policy) {
				cf.Scopes, cf.OnlyScopes = scopes, only
				// The user asks for a login now. The process that announced another
				// one may have died.
				cf.Concurrent = true
			})
			if err != nil {
				return err
			}
			st, err := cl.login(c.Context(), httpdriver.LoginOptions{Scopes: scopes, NewClient: newClient}, only, again)
			if err != nil {
				return errors.Join(cl.explain(c.Context(), &f, err), cl.close())
			}
			if err := cl.close(); err != nil {
				return err
			}
			if watching && !cl.loggedIn() {
				a.notice("No login took place, so there was nothing to watch. To log in anyway, pass --again.")
			}
			v := loginView{statusView: statusJSON(st)}
			if st.LoggedIn {
				v.NotGranted = cl.notGranted(scopes, st.Scopes)
			}
			return a.result(v, func() { a.printLogin(st, v.NotGranted) })
		},
	}
	f.addLogin(c)
	c.Flags().StringArrayVar(&scopes, "scope", nil, "a `SCOPE` to ask for besides those that the server asks for (repeatable)")
	c.Flags().BoolVar(&only, "only-scopes", false, "ask for the scopes of --scope and no others")
	c.Flags().BoolVar(&newClient, "new-client", false, "log in again with a newly registered client, if the issuer shows an error page")
	c.Flags().BoolVar(&watching, "watch", false, "show the login in a browser while it is under way: who says what to whom, without secrets")
	c.Flags().BoolVar(&again, "again", false, "log in again although a valid login exists")
	return c
}

// login makes sure that there is a credential with the wanted scopes.
func (c *client) login(ctx context.Context, want httpdriver.LoginOptions, only, again bool) (httpdriver.Status, error) {
	st, err := c.driver.Status(ctx, c.account)
	if err != nil {
		return st, storeFailed(err)
	}
	missing := func() bool {
		return slices.ContainsFunc(want.Scopes, func(s string) bool { return !slices.Contains(st.Scopes, s) })
	}
	if again || want.NewClient || st.LoggedIn && missing() || only && !st.LoggedIn {
		err = c.driver.LoginWith(ctx, c.account, want)
	} else if st, err = c.loginByUse(ctx, want.Scopes); err == nil && st.LoggedIn && missing() && !c.loggedIn() {
		// Scopes that this command has just asked for are not asked for again.
		err = c.driver.LoginWith(ctx, c.account, want)
	}
	if err != nil {
		return st, err
	}
	st, err = c.driver.Status(ctx, c.account)
	return st, storeFailed(err)
}

// loginByUse opens an MCP session as any client would. A server that requires a login
// challenges the first request, and the challenge is the best source about the login.
func (c *client) loginByUse(ctx context.Context, scopes []string) (httpdriver.Status, error) {
	_, session, failed := c.connect(ctx)
	if failed == nil {
		failed = session.Close()
	}
	c.patience.stop()
	switch {
	case c.authFault() != nil:
		return httpdriver.Status{}, failed
	case ctx.Err() != nil:
		return httpdriver.Status{}, ctx.Err()
	}
	st, err := c.driver.Status(ctx, c.account)
	switch {
	case err != nil:
		return st, storeFailed(err)
	case st.LoggedIn && failed != nil:
		c.a.notice("You are logged in, but the MCP server did not work: " + describe(failed).Message)
		return st, nil
	case st.LoggedIn, failed == nil && len(scopes) == 0:
		return st, nil
	case failed == nil:
	case noChallengeWillCome(failed):
		return st, failed
	default:
		c.refusal = failed
	}
	if err := c.driver.Login(ctx, c.account, scopes...); err != nil || failed == nil {
		return st, err
	}
	// The server's metadata led to a login. Only an answer shows that there is a server.
	_, session, failed = c.connect(ctx)
	if failed == nil {
		failed = session.Close()
	}
	c.patience.stop()
	if failed != nil && ctx.Err() == nil {
		c.a.notice("You are logged in, but the MCP server did not work: " + describe(failed).Message)
	}
	return st, nil
}

// noChallengeWillCome reports whether the server did not answer, failed or redirects
// its clients. A search for its metadata would only hide that.
func noChallengeWillCome(err error) bool {
	var own *failure
	return errors.As(err, &own) && (own.code == exitNetwork || own.code == exitUsage || own.rule == rules.ChallengeRedirectNotAuth)
}

// loginView is a login as stile login shows it with --json.
type loginView struct {
	statusView
	// NotGranted are scopes that were asked for and not granted.
	NotGranted []string `json:"not_granted,omitempty"`
}

func (a *app) printLogin(st httpdriver.Status, notGranted []string) {
	p := paint(a.colours(a.out))
	if !st.LoggedIn {
		a.say("No login is needed: %s answers without one. To log in anyway, pass --again.\n", st.Account.Server)
		return
	}
	a.say("%s %s\n", p.green("Logged in to"), st.Account.Server)
	a.printStatus(st)
	if len(notGranted) > 0 {
		a.say("  %s the issuer did not grant: %s\n", p.yellow("not all "), strings.Join(notGranted, " "))
	}
}
