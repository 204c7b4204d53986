package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver"
)

func newLogout(a *app) *cobra.Command {
	var f accountFlags
	var forget bool
	c := &cobra.Command{
		Use:   "logout URL",
		Short: "Revoke and remove a login",
		Long: `Revokes the tokens if their issuer supports that (RFC 7009), then removes them
from the store. The registration of the client stays, unless --forget asks the
issuer to remove it (RFC 7592): every login with that client ends with it, also
those at other servers behind the same issuer. --forget also removes the key that
the tokens were bound to (DPoP).`,
		Args: takes("URL"),
		RunE: func(c *cobra.Command, given []string) (err error) {
			cl, err := f.open(c.Context(), a, given[0])
			if none := noStore(err); none != nil {
				return a.loggedOut(given[0], f.name, false)
			}
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, cl.close()) }()
			st, err := cl.driver.Status(c.Context(), cl.account)
			if err != nil {
				return storeFailed(err)
			}
			if err := cl.driver.LogoutWith(c.Context(), cl.account, httpdriver.LogoutOptions{Forget: forget}); err != nil {
				return err
			}
			return a.loggedOut(given[0], f.name, st.LoggedIn)
		},
	}
	f.addNetwork(c)
	f.addTrace(c)
	c.Flags().BoolVar(&forget, "forget", false, "also ask the issuer to remove the client that it registered")
	return c
}

// loggedOut reports that the login to a server has ended.
func (a *app) loggedOut(server, account string, was bool) error {
	v := struct {
		Server  string `json:"server"`
		Account string `json:"account,omitempty"`
		WasIn   bool   `json:"was_logged_in"`
	}{server, account, was}
	return a.result(v, func() {
		if was {
			a.say("Logged out of %s\n", server)
		} else {
			a.say("Nobody was logged in to %s\n", server)
		}
	})
}
