package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newLogout(a *app) *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use:   "logout URL",
		Short: "Revoke and remove a login",
		Long: `Revokes the tokens where their issuer offers that (RFC 7009), then removes them
from the store. The registration of the client stays.`,
		Args: args(cobra.ExactArgs(1)),
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
			if err := cl.driver.Logout(c.Context(), cl.account); err != nil {
				return err
			}
			v := struct {
				Server  string `json:"server"`
				Account string `json:"account,omitempty"`
				WasIn   bool   `json:"was_logged_in"`
			}{given[0], f.name, st.LoggedIn}
			return a.result(v, func() {
				if st.LoggedIn {
					a.say("Logged out of %s\n", given[0])
				} else {
					a.say("Nobody was logged in to %s\n", given[0])
				}
			})
		},
	}
	f.addNetwork(c)
	return c
}
