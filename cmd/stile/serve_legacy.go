package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

func newServeLegacy(a *app) *cobra.Command {
	var (
		f          issuerFlags
		path       string
		noMetadata bool
	)
	c := &cobra.Command{
		Use:   "legacy",
		Short: "Serve an MCP server of 2025-03-26 that is its own authorization server",
		Long: `Serves an MCP server and its authorization server at one origin, as in MCP 2025-03-26:
without protected resource metadata, and with authorization server metadata at the
root or, with --no-metadata, with the default endpoints only.`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if !strings.HasPrefix(path, "/") {
				return usage("--path: %q does not begin with /", path)
			}
			ln, origin, err := f.listen()
			if err != nil {
				return err
			}
			config := devas.DefaultLegacy(origin)
			if err := f.configure(a, &config.AS); err != nil {
				_ = ln.Close()
				return err
			}
			config.AS.NoMetadata, config.Path, config.Faults = noMetadata, path, f.faults
			l, err := devas.NewLegacy(config)
			if err != nil {
				_ = ln.Close()
				return &failure{code: exitUsage, err: err, advice: "stile serve faults lists the faults"}
			}
			l.AS.Announce()
			return a.serve(c.Context(), ln, l, serving{
				Serving: "legacy", Address: origin + path, Issuer: origin, User: f.user, Password: f.password, Scopes: f.scopes, Faults: f.faults,
			}, "MCP server of 2025-03-26, its own authorization server; log in as "+f.user+" with "+f.password,
				"log in with: stile login "+origin+path)
		},
	}
	f.add(c, 8000)
	c.Flags().StringVar(&path, "path", "/mcp", "the `PATH` of the MCP endpoint")
	c.Flags().BoolVar(&noMetadata, "no-metadata", false, "serve no metadata")
	return c
}
