package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
)

func newToken(a *app) *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use:   "token URL",
		Short: "Print a valid access token, for scripts",
		Long: `Prints a valid access token for URL to standard output, and nothing else: it is
renewed first if need be. It never begins a login; with nobody logged in the exit
status is 3.

Whoever has the token can use the server in your name until it expires. Hand it
to a program by a pipe or a variable, not by its arguments.`,
		Example: `  TOKEN=$(stile token https://mcp.example/mcp)`,
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) (err error) {
			cl, err := f.open(c.Context(), a, given[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, cl.close()) }()
			st, err := cl.driver.Status(c.Context(), cl.account)
			if err != nil {
				return storeFailed(err)
			}
			t, err := cl.driver.Token(c.Context(), cl.account)
			if errors.Is(err, httpdriver.ErrNoToken) {
				return cl.noToken(st)
			}
			if err != nil {
				return cl.explain(c.Context(), &f, err)
			}
			if a.terminal(a.out) {
				a.notice("warning: a secret is shown on this terminal; pipe it instead")
			}
			v := struct {
				AccessToken string `json:"access_token"`
				Type        string `json:"token_type"`
				Expires     string `json:"expires,omitempty"`
			}{t.AccessToken, t.Type(), stamp(t.Expiry)}
			return a.result(v, func() { a.say("%s\n", t.AccessToken) })
		},
	}
	f.addNetwork(c)
	return c
}

// noToken says why there is no token although one was there: st is what was
// stored before it was asked for.
func (c *client) noToken(st httpdriver.Status) error {
	if !st.LoggedIn {
		return notLoggedIn(c.server)
	}
	f := &failure{code: exitLogin, says: "nobody is logged in to " + c.server + " any more", advice: "log in again: stile login " + c.server}
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	switch {
	case last.Event != "":
		why := last.Problem.Detail
		if o := last.Problem.OAuth; o != nil {
			why = o.String()
		}
		f.err, f.first = fsm.Err(last), "the token expired "+stamp(st.Expires)+", and its issuer refused to renew it: "+why
	case !st.Renewable:
		f.err, f.first = httpdriver.ErrNoToken, "the token expired "+stamp(st.Expires)+", and there is no refresh token to renew it with"
	default:
		f.err = httpdriver.ErrNoToken
	}
	return f
}
