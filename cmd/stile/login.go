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
		f      accountFlags
		scopes []string
		only   bool
		again  bool
	)
	c := &cobra.Command{
		Use:   "login URL",
		Short: "Log in to an MCP server",
		Long: `Logs in to the MCP server at URL: asks it for a challenge, finds out who
protects it, registers if need be, sends you to a browser, and keeps the tokens.
Other commands and other programs that share the store use them from then on.

A login that is already good is left alone; --again makes a new one, and so do
--scope names that are not granted yet. Where another process has a login for the
same server under way, this one begins beside it and does not wait; whichever is
finished first serves both.

The issuer decides which scopes it grants. What was asked for and not granted is
listed (not_granted with --json); the exit status is 0 all the same.`,
		Example: `  stile login https://mcp.example/mcp
  stile login https://mcp.example/mcp --scope files:read --scope files:write
  stile login https://mcp.example/mcp --no-browser          # over SSH: paste the address back
  STILE_CLIENT_SECRET=… stile login https://mcp.example/mcp --client-id my-app --issuer https://login.example`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			cl, err := f.openWith(c.Context(), a, given[0], aloud, func(cf *httpdriver.Policy) {
				cf.Scopes, cf.OnlyScopes = scopes, only
				// Who typed this asks for it now: another process's mark may be that
				// of a dead one.
				cf.Concurrent = true
			})
			if err != nil {
				return err
			}
			st, err := cl.login(c.Context(), scopes, only, again)
			if err != nil {
				return errors.Join(cl.explain(c.Context(), &f, err), cl.close())
			}
			if err := cl.close(); err != nil {
				return err
			}
			v := loginView{statusView: statusJSON(st)}
			if st.LoggedIn {
				v.NotGranted = cl.notGranted(scopes, st.Scopes)
			}
			return a.result(v, func() { a.printLogin(st, v.NotGranted) })
		},
	}
	f.addLogin(c)
	c.Flags().StringArrayVar(&scopes, "scope", nil, "a scope to ask for beyond what the server asks for (repeatable)")
	c.Flags().BoolVar(&only, "only-scopes", false, "ask for exactly the --scope names")
	c.Flags().BoolVar(&again, "again", false, "log in anew although a login is there")
	return c
}

// login makes sure that a credential is held, with the scopes that are wanted.
func (c *client) login(ctx context.Context, scopes []string, only, again bool) (httpdriver.Status, error) {
	st, err := c.driver.Status(ctx, c.account)
	if err != nil {
		return st, storeFailed(err)
	}
	missing := slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(st.Scopes, s) })
	switch {
	case again, st.LoggedIn && missing, only && !st.LoggedIn:
		err = c.driver.Login(ctx, c.account, scopes...)
	default:
		// As a client would: the server's own challenge says most. What it is
		// refused with otherwise is not a matter of logging in.
		_, session, e := c.connect(ctx)
		if e == nil {
			e = session.Close()
		}
		c.patience.stop()
		if err = c.authFault(); err != nil {
			return st, err
		}
		if ctx.Err() != nil {
			return st, ctx.Err()
		}
		if st, err = c.driver.Status(ctx, c.account); err != nil {
			return st, storeFailed(err)
		}
		if !st.LoggedIn && e == nil && len(scopes) == 0 {
			return st, nil // the server answers without a login
		}
		if e != nil && !errors.Is(e, errNoAnswer) {
			e = c.sentElsewhere(c.notConnected(e))
		}
		switch wrong := tell(e); {
		case st.LoggedIn && e != nil:
			c.a.notice("The login is there, but MCP with the server did not work: " + wrong.Message)
		case st.LoggedIn:
		case errors.Is(e, errNoAnswer), wrong.Rule == string(rules.ChallengeRedirectNotAuth):
			return st, e // silent, or it sends its clients elsewhere: no challenge will come
		default:
			err = c.driver.Login(ctx, c.account, scopes...)
		}
		if st.LoggedIn {
			// What that login has just asked for is not asked for again.
			if !c.loggedIn() && slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(st.Scopes, s) }) {
				err = c.driver.Login(ctx, c.account, scopes...)
			}
		}
	}
	if err != nil {
		return st, err
	}
	st, err = c.driver.Status(ctx, c.account)
	return st, storeFailed(err)
}

// loginView is a login as stile login shows it with --json.
type loginView struct {
	statusView
	// NotGranted are scopes that were asked for and not given.
	NotGranted []string `json:"not_granted,omitempty"`
}

func (a *app) printLogin(st httpdriver.Status, notGranted []string) {
	p := paint(a.colours(a.out))
	if !st.LoggedIn {
		a.say("No login is needed: %s answers without one. To log in all the same, say --again.\n", st.Account.Server)
		return
	}
	a.say("%s %s\n", p.green("Logged in to"), st.Account.Server)
	a.printStatus(st)
	if len(notGranted) > 0 {
		a.say("  %s the issuer did not grant: %s\n", p.yellow("not all "), strings.Join(notGranted, " "))
	}
}
