package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

func newServeIdP(a *app) *cobra.Command {
	var (
		f              listenFlags
		user, password string
		life           time.Duration
		auto           bool
	)
	c := &cobra.Command{
		Use:   "idp",
		Short: "Serve an identity provider",
		Long: `Serves a development identity provider, for logins that a company manages. The user logs
in here (OpenID Connect, authorization code with S256). By token exchange, the client
gets ID-JAGs, for which servers that trust this provider give tokens; the user does not
visit those servers. The user logs in as demo_user with the password demo_password; the client is ` + devas.EnterpriseClientID + ` with the secret ` + devas.EnterpriseIdPSecret + `.`,
		Example: `  stile serve idp                                    # terminal 1
  stile serve as --trust http://localhost:9001       # terminal 2
  stile serve rs                                     # terminal 3`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.side(true); err != nil {
				return err
			}
			ln, issuer, err := f.listen()
			if err != nil {
				return err
			}
			config := devas.DefaultIdP(issuer)
			config.AccessTokenTTL, config.AutoConsent, config.Faults, config.Logger = life, auto, f.faults, a.serverLog()
			config.Users = []peer.User{{Name: user, Password: password}}
			idp, err := devas.NewAS(config)
			if err != nil {
				_ = ln.Close()
				return &failure{code: exitUsage, err: err}
			}
			idp.Announce()
			return a.serve(c.Context(), ln, idp, serving{
				Serving: "idp", Address: issuer, Issuer: issuer, User: user, Password: password, Scopes: config.Scopes, Faults: f.faults,
				Client: devas.EnterpriseClientID, ClientSecret: devas.EnterpriseIdPSecret,
			}, "identity provider; log in as "+user+" with "+password,
				"a client logs in as "+devas.EnterpriseClientID+" with the secret "+devas.EnterpriseIdPSecret)
		},
	}
	f.add(c, 9001, "issuer")
	fl := c.Flags()
	fl.StringVar(&user, "user", devas.DemoUser, "the `NAME` of the user who can log in")
	fl.StringVar(&password, "password", devas.DemoPassword, "the `PASSWORD` of that user; it protects nothing")
	fl.DurationVar(&life, "token-life", time.Hour, "how long an access token is valid; ID tokens are valid for ten minutes")
	fl.BoolVar(&auto, "auto-consent", false, "grant access at once, without asking the user")
	return c
}
