package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states/wire"
)

func newStoreImport(a *app) *cobra.Command {
	var (
		f         accountFlags
		dir, file string
		resource  string
		overwrite bool
	)
	c := &cobra.Command{
		Use:   "import URL",
		Short: "Take over the login that mcp-remote has for a server",
		Long: `Takes over the tokens that mcp-remote keeps for the server at URL, from
~/.mcp-auth/mcp-remote-VERSION, the newest it has. It does not write down who
issued them: name the issuer, whose metadata is then fetched. Without --issuer
the record is kept in quarantine, and nothing of it is sent anywhere until it
is bound (stile store bind).

Use mcp-remote no more for this server afterwards: two holders of one refresh
token make each other's invalid.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) (err error) {
			server, err := wire.CanonicalServer(given[0])
			if err != nil {
				return &failure{code: exitUsage, err: err}
			}
			if file == "" {
				if file, err = findTokens(a, dir, given[0], resource); err != nil {
					return err
				}
			}
			t, err := readMCPRemote(file)
			if err != nil {
				return err
			}
			t.Resource = resource
			if f.issuer != "" {
				if err := f.bind(c.Context(), t, server); err != nil {
					return err
				}
			}
			st, closing, err := f.openStore(c.Context(), a, aloud)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closing()) }()
			if err := f.putToken(c.Context(), st, server, t, overwrite); err != nil {
				return err
			}
			return a.imported(given[0], t)
		},
	}
	f.addNetwork(c)
	fl := c.Flags()
	fl.StringVar(&f.issuer, "issuer", "", "issuer that gave the tokens")
	fl.StringVar(&dir, "dir", "", "mcp-remote's directory (default: MCP_REMOTE_CONFIG_DIR, else ~/.mcp-auth)")
	fl.StringVar(&file, "file", "", "take this …_tokens.json")
	fl.StringVar(&resource, "resource", "", "resource that mcp-remote was started with")
	fl.BoolVar(&overwrite, "overwrite", false, "replace a login that is there")
	return c
}
