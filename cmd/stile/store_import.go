package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states"
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
		Short: "Take over a login from mcp-remote",
		Long: `Takes over the newest tokens that mcp-remote keeps for the server at URL in
~/.mcp-auth/mcp-remote-VERSION. The command fetches the metadata of their issuer.
The files of mcp-remote name the issuer since 0.15; for older files, name it with
--issuer. If the issuer is not known, the record is kept in quarantine: nothing of it
is sent anywhere until you bind it to its issuer (stile store bind).

Stop using mcp-remote for this server afterwards: two programs that hold the same
refresh token make it invalid for each other.`,
		Args: takes("URL"),
		RunE: func(c *cobra.Command, given []string) (err error) {
			canonical, err := canonicalServer(given[0])
			if err != nil {
				return err
			}
			server := canonical.String()
			if file == "" {
				if file, err = findTokens(a, dir, remoteLogin{server: given[0], resource: resource}); err != nil {
					return err
				}
			}
			t, issuer, err := f.fromMCPRemote(file)
			if err != nil {
				return err
			}
			t.Resource = resource
			if issuer != "" {
				if err := f.bind(c.Context(), t, server, issuer); err != nil {
					return err
				}
			}
			st, closing, err := f.openOrCreate(c.Context(), a)
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
	fl.StringVar(&f.issuer, "issuer", "", "the `ISSUER` of the tokens, if the files do not name it")
	fl.StringVar(&dir, "dir", "", "the `DIR` of mcp-remote (default: MCP_REMOTE_CONFIG_DIR, else ~/.mcp-auth)")
	fl.StringVar(&file, "file", "", "the `FILE` to read, …_tokens.json")
	fl.StringVar(&resource, "resource", "", "the `RESOURCE` that mcp-remote was started with")
	fl.BoolVar(&overwrite, "overwrite", false, "replace an existing login")
	needs(fl, "!file", "dir")
	return c
}

// fromMCPRemote reads a file of mcp-remote. The issuer comes from the file or from
// --issuer; the two must not differ.
func (f *accountFlags) fromMCPRemote(file string) (*states.Token, string, error) {
	t, issuer, err := readMCPRemote(file)
	switch {
	case err != nil:
		return nil, "", err
	case issuer == "":
		return t, f.issuer, nil
	case f.issuer != "" && f.issuer != issuer:
		return nil, "", usage("%s says that %s issued the tokens, not %s", file, wire.Clean(issuer, maxShown), f.issuer)
	}
	return t, issuer, nil
}
