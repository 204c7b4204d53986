package main

import (
	"context"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/bearer/mcpsdk"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states/wire"
)

// protected serves an MCP server of the go-sdk that package bearer protects, as
// its author would write it. Tokens are verified by introspection, or as JWTs
// with the keys that the issuer's metadata names.
func (w *world) protected(ctx context.Context, jwt bool) error {
	as, err := devas.Discover(ctx, &http.Client{Timeout: 10 * time.Second}, w.issuer)
	if err != nil {
		return err
	}
	var verifier bearer.Verifier
	if jwt {
		keys, err := bearer.NewKeySet(bearer.KeySetConfig{URL: as.JWKS})
		if err != nil {
			return err
		}
		verifier, err = bearer.NewJWT(bearer.JWTConfig{Keys: keys})
		if err != nil {
			return err
		}
	} else {
		verifier, err = bearer.NewIntrospection(bearer.IntrospectionConfig{
			URL: as.Introspection, ClientID: devas.RSClientID, ClientSecret: wire.Secret(devas.RSClientSecret),
			CacheFor: -1, // a revocation shows at once
		})
		if err != nil {
			return err
		}
	}
	return w.protect(ctx, verifier, []string{"user", "profile"}, nil)
}

// protect serves the MCP server behind a verifier of the issuer's tokens. The
// first of the scopes is needed for everything, the second for whoami; published
// are scopes_supported in place of them.
func (w *world) protect(ctx context.Context, v bearer.Verifier, scopes, published []string) error {
	_, err := w.listen(ctx, func(origin string) (http.Handler, error) {
		w.resource = origin + "/mcp"
		c := bearer.Config{
			Policy: bearer.Policy{Resource: w.resource, Issuers: []string{w.issuer}}, Verifier: v,
			Metadata: bearer.Metadata{ScopesSupported: published},
		}
		if len(scopes) > 0 {
			c.Policy.Scopes = scopes[:1]
			c.Tools = []bearer.ToolScopes{{Tool: "whoami", Scopes: scopes[1:]}}
		}
		if w.bound {
			nonces, err := bearer.NewNonces(nil, 0)
			if err != nil {
				return nil, err
			}
			c.DPoP = &bearer.DPoP{Required: true, Nonces: nonces}
		}
		g, err := bearer.New(c)
		if err != nil {
			return nil, err
		}
		mux := http.NewServeMux()
		g.Mount(mux, mcpsdk.Handler(tools()))
		return mux, nil
	}, nil)
	return err
}

// tools is the MCP server; its tools learn who calls from the go-sdk's own
// TokenInfo.
func tools() http.Handler {
	s := mcp.NewServer(&mcp.Implementation{Name: "outside", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "get_time"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, map[string]any, error) {
		return nil, map[string]any{"time": time.Now().UTC().Format(time.RFC3339), "zone": "UTC"}, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "whoami"}, func(_ context.Context, r *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, map[string]any, error) {
		who := r.Extra.TokenInfo
		return nil, map[string]any{"subject": who.UserID, "client_id": who.Extra["client_id"], "scopes": who.Scopes}, nil
	})
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
}
