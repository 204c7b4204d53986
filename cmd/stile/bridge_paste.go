package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// pasteCommand is the command that takes the address at the end of a login.
func pasteCommand(server string) string { return "stile bridge paste " + server }

const wholeAddress = "paste the whole address, with what follows the question mark"

// newBridgePaste finishes a login of a bridge whose user has the browser elsewhere. The
// address is not an argument: it holds the code, and process lists show arguments.
func newBridgePaste(a *app) *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use:   "paste URL",
		Short: "Finish a login that ended in a browser on another machine",
		Long: `Finishes a login that a running bridge waits for. If your browser is on another machine,
the login ends at a page that the browser cannot open. Copy the address of that page,
run this command on the machine of the bridge, and paste the address.

Pass the flags for the account, the store and the client that the bridge has.`,
		Example: `  stile bridge paste https://mcp.example/mcp`,
		Args:    takes("URL"),
		RunE: func(c *cobra.Command, given []string) (err error) {
			f.listen = "http://127.0.0.1/callback" // nothing listens: the address is pasted
			cl, err := f.open(c.Context(), a, given[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, cl.close()) }()
			if a.tty.in {
				a.note("Paste the address of the page where the browser ended:\n")
			}
			g := &gate{a: a, server: given[0]}
			g.f = &bridgeFlags{accountFlags: f}
			for p := (&paste{in: a.in}); ; {
				raw, err := p.next(c.Context())
				if errors.Is(err, io.EOF) {
					return &failure{code: exitUsage, err: errors.New("nothing was pasted"), advice: wholeAddress}
				}
				if err != nil {
					return err
				}
				raw = strings.Trim(raw, " \t\r\"'<>`")
				if !strings.Contains(raw, "://") || !strings.Contains(raw, "?") {
					if a.tty.in {
						a.notice("This is not the address where a login ends. Paste the whole address, with what follows the question mark, or press Ctrl-C.")
						continue
					}
					return &failure{code: exitUsage, err: errors.New("what was pasted is not the address where a login ends"), advice: wholeAddress}
				}
				err = g.finishLogin(c.Context(), cl, raw)
				if errors.Is(err, httpdriver.ErrUnknownLogin) && a.tty.in {
					a.notice("No login waits for this address. Paste the whole address of the page where the browser ended, or press Ctrl-C.")
					continue
				}
				if err != nil {
					return cl.explain(c.Context(), &f, err)
				}
				st, err := cl.driver.Status(c.Context(), cl.account)
				if err != nil {
					return storeFailed(err)
				}
				return a.result(statusJSON(st), func() { a.printLogin(st, nil) })
			}
		},
	}
	f.addLogin(c)
	for _, name := range []string{"redirect-uri", "no-browser", "timeout", "server-timeout"} {
		_ = c.Flags().MarkHidden(name)
	}
	return c
}

// finishLogin finishes a login with the address that it ended at. After a login at a
// company's identity provider, the login at the server follows, without the user.
func (g *gate) finishLogin(ctx context.Context, c *client, raw string) error {
	at, err := c.driver.Redirected(ctx, raw, httpdriver.Owner{Tenant: g.f.tenant, Subject: g.f.subject})
	if err != nil || at.Server == c.account.Server || grants[g.f.grant] != states.EnterpriseGrant {
		return err
	}
	return c.driver.Login(ctx, c.account)
}
