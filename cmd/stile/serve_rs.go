package main

import (
	"context"
	"errors"
	"net"
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
		proofs     dpopFlags
	)
	c := &cobra.Command{
		Use:   "rs",
		Short: "Serve a protected MCP server",
		Long: `Serves an MCP server with the tools get_time and whoami, protected by the
authorization server at --as: tokens are verified by introspection (RFC 7662).
The authorization server must be running, but may misbehave: if the server cannot
read its metadata, it reads the metadata again when a token arrives.`,
		Example: `  stile serve rs --as http://localhost:9000 --tool-scope whoami=profile`,
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.side(false); err != nil {
				return err
			}
			if !strings.HasPrefix(path, "/") {
				return usage("--path: %q does not begin with /", path)
			}
			dpop, err := proofs.policy()
			if err != nil {
				return err
			}
			tools, err := parseToolScopes(toolScopes)
			if err != nil {
				return err
			}
			secret := wire.Secret(devas.RSClientSecret)
			if secretFile != "" {
				if secret, err = readSecret(a, "--introspection-secret-file", secretFile); err != nil {
					return err
				}
			}
			server, verifier, err := introspecting(c.Context(), as, clientID, secret)
			if gone := (*net.OpError)(nil); errors.As(err, &gone) && gone.Op == "dial" {
				return &failure{code: exitNetwork, err: err, advice: "start the authorization server first: stile serve as; or name another with --as"}
			}
			if err != nil {
				a.notice("Tokens cannot be verified yet: " + inWords(err) + ". The server tries again with each token.")
				server = devas.Server{Issuer: as}
				verifier = devas.LazyVerifier(func(ctx context.Context) (bearer.Verifier, error) {
					_, v, err := introspecting(ctx, as, clientID, secret)
					return v, err
				})
			}
			ln, origin, err := f.listen()
			if err != nil {
				return err
			}
			resource := origin
			if f.public == "" {
				resource += path
			}
			rs, err := devas.NewRS(devas.RSConfig{
				Resource: resource, Issuers: []string{server.Issuer}, Verifier: verifier,
				Scopes: scopes, Tools: tools, AllowMissingAudience: !strict,
				DPoP: dpop, DPoPNonces: proofs.nonces, Faults: f.faults, Origins: origins, Logger: a.serverLog(),
			})
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
	proofs.add(c)
	fl := c.Flags()
	fl.StringVar(&as, "as", "http://localhost:9000", "the `ISSUER` of the tokens")
	fl.StringVar(&path, "path", "/mcp", "the `PATH` of the MCP endpoint")
	fl.StringArrayVar(&scopes, "scope", []string{"user"}, "a `SCOPE` that every request needs (repeatable)")
	fl.StringArrayVar(&toolScopes, "tool-scope", nil, "a scope that one tool needs, `TOOL=SCOPE` (repeatable)")
	fl.BoolVar(&strict, "strict-audience", true, "refuse tokens without an audience; those with another audience are always refused")
	fl.StringVar(&clientID, "introspection-client", devas.RSClientID, "the client `ID` for introspection")
	fl.StringVar(&secretFile, "introspection-secret-file", "", "the `FILE` that holds its secret (default: the secret of stile serve as)")
	fl.StringArrayVar(&origins, "origin", nil, "an additional web `ORIGIN` whose pages may send requests (repeatable)")
	return c
}

// introspecting finds the introspection endpoint of an authorization server, and
// returns a verifier that uses it. In development, a revocation takes effect at once.
func introspecting(ctx context.Context, as, clientID string, secret wire.Secret) (devas.Server, bearer.Verifier, error) {
	client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	server, err := devas.Discover(ctx, client, as)
	if err != nil {
		return server, nil, err
	}
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{
		URL: server.Introspection, ClientID: clientID, ClientSecret: secret, CacheFor: -1,
	})
	return server, v, err
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
