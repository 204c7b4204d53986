package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states/wire"
)

func newServeRS(a *app) *cobra.Command {
	var (
		f          listenFlags
		as, path   string
		scopes     []string
		toolScopes []string
		strict     bool
		clientID   string
		secretFile string
		origins    []string
	)
	c := &cobra.Command{
		Use:   "rs",
		Short: "Serve a protected MCP server",
		Long: `Serves an MCP server with the tools get_time and whoami, protected by the
authorization server at --as: tokens are verified by introspection (RFC 7662).`,
		Example: `  stile serve rs --as http://localhost:9000 --tool-scope whoami=profile`,
		Args:    args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.side(false); err != nil {
				return err
			}
			if !strings.HasPrefix(path, "/") {
				return usage("--path: %q does not begin with /", path)
			}
			tools, err := parseToolScopes(toolScopes)
			if err != nil {
				return err
			}
			server, err := devas.Discover(c.Context(), &http.Client{Timeout: 10 * time.Second}, as)
			if err != nil {
				return &failure{code: exitNetwork, err: err, advice: "start it first: stile serve as; or name it with --as"}
			}
			ln, origin, err := f.listen()
			if err != nil {
				return err
			}
			resource := origin
			if f.public == "" {
				resource += path
			}
			config, err := devas.DefaultRS(resource, server)
			if err == nil && (clientID != devas.RSClientID || secretFile != "") {
				secret := wire.Secret(devas.RSClientSecret)
				if secretFile != "" {
					secret, err = readSecret(a, "--client-secret-file", secretFile)
				}
				if err == nil {
					config.Verifier, err = bearer.NewIntrospection(bearer.IntrospectionConfig{
						URL: server.Introspection, ClientID: clientID, ClientSecret: secret, CacheFor: time.Second,
					})
				}
			}
			if err != nil {
				_ = ln.Close()
				return &failure{code: exitUsage, err: err}
			}
			config.Scopes, config.Tools, config.AllowMissingAudience = scopes, tools, !strict
			config.Faults, config.Origins, config.Logger = f.faults, origins, a.serverLog()
			rs, err := devas.NewRS(config)
			if err != nil {
				_ = ln.Close()
				return &failure{code: exitUsage, err: err}
			}
			rs.Announce()
			return a.serve(c.Context(), ln, rs, serving{
				Serving: "rs", Address: resource, Issuer: server.Issuer, Scopes: scopes, Faults: f.faults,
			}, "MCP server, protected by "+server.Issuer, "log in with: stile login "+resource)
		},
	}
	f.add(c, 8001, "resource")
	fl := c.Flags()
	fl.StringVar(&as, "as", "http://localhost:9000", "issuer of the authorization server")
	fl.StringVar(&path, "path", "/mcp", "path of the MCP endpoint")
	fl.StringArrayVar(&scopes, "scope", []string{"user"}, "a scope that every request needs (repeatable)")
	fl.StringArrayVar(&toolScopes, "tool-scope", nil, "a scope that one tool needs, TOOL=SCOPE (repeatable)")
	fl.BoolVar(&strict, "strict-audience", true, "refuse tokens that name no audience; those for another are always refused")
	fl.StringVar(&clientID, "introspection-client", devas.RSClientID, "client id to introspect with")
	fl.StringVar(&secretFile, "introspection-secret-file", "", "file that holds its secret (default: the development one)")
	fl.StringArrayVar(&origins, "origin", nil, "a further web origin whose pages may call (repeatable)")
	return c
}

func parseToolScopes(list []string) ([]bearer.ToolScopes, error) {
	var out []bearer.ToolScopes
	for _, t := range list {
		tool, scope, ok := strings.Cut(t, "=")
		if !ok || tool == "" || scope == "" {
			return nil, usage("--tool-scope: %q is not TOOL=SCOPE", t)
		}
		out = append(out, bearer.ToolScopes{Tool: tool, Scopes: strings.Fields(scope)})
	}
	return out, nil
}
