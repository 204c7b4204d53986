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
		Long: `Prints a valid access token for URL on standard output, and nothing else. A token
that has expired is renewed first. The command never begins a login: if nobody is
logged in, the exit status is 3.

Anyone who has the token can use the server in your name until it expires. Pass
it through a pipe or a variable, not as an argument, which every user of the
machine can see.`,
		Example: `  TOKEN=$(stile token https://mcp.example/mcp)
  stile token https://mcp.example/mcp | sed 's/^/Authorization: Bearer /' |
    curl -H @- https://mcp.example/mcp`,
		Args: takes("URL"),
		RunE: func(c *cobra.Command, given []string) (err error) {
			cl, err := f.open(c.Context(), a, given[0])
			if err != nil {
				return neverLoggedIn(given[0], err)
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
			if a.tty.out {
				a.notice("Warning: the token is a secret, and this terminal shows it. Pipe it to a program instead.")
			}
			if t.Type() == "DPoP" {
				a.notice("The token is bound to a key (DPoP): the server accepts it only with a proof, one for each request. stile call and stile bridge make them.")
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
	f.addTrace(c)
	f.addRules(c)
	return c
}

// noToken says why there is no token although one was stored: st is what was stored
// before the command asked for the token.
func (c *client) noToken(st httpdriver.Status) error {
	if !st.LoggedIn {
		return notLoggedIn(c.server)
	}
	f := &failure{code: exitLogin, says: "nobody is logged in to " + c.server + " any more", advice: "log in again: stile login " + c.server + " --again"}
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
	case st.GivenUp:
		f.err, f.first = httpdriver.ErrNoToken, "the token expired "+stamp(st.Expires)+", and its issuer refused to renew it"
	case !st.Renewable:
		f.err, f.first = httpdriver.ErrNoToken, "the token expired "+stamp(st.Expires)+", and there is no refresh token to renew it with"
	default:
		f.err = httpdriver.ErrNoToken
	}
	return f
}
