package devas

import (
	"context"
	"net/http"
	"strings"

	"github.com/stile-oauth/stile/fsm/peer"
)

// LegacyConfig says how the MCP 2025-03-26 server behaves: one origin that is
// authorization server and MCP server, without resource metadata.
type LegacyConfig struct {
	AS ASConfig // Issuer is the origin
	// Path of the MCP endpoint; default /mcp.
	Path   string
	MCP    http.Handler
	Faults []string // of either side
}

// DefaultLegacy is the configuration of `stile serve legacy`.
func DefaultLegacy(origin string) LegacyConfig {
	as := DefaultAS(origin)
	// What that revision did not know.
	as.Iss, as.CIMD, as.Device = false, false, false
	as.Clients = nil
	return LegacyConfig{AS: as}
}

// Legacy is the MCP 2025-03-26 server over HTTP.
type Legacy struct {
	AS *AS
	RS *RS
}

// NewLegacy makes the server.
func NewLegacy(c LegacyConfig) (*Legacy, error) {
	if c.Path == "" {
		c.Path = "/mcp"
	}
	asFaults, rsFaults, err := peer.Side(c.Faults)
	if err != nil {
		return nil, err
	}
	resource := strings.TrimSuffix(c.AS.Issuer, "/") + c.Path
	c.AS.Faults = append(c.AS.Faults, asFaults...)
	if c.AS.DefaultResource == "" {
		c.AS.DefaultResource = resource
	}
	as, err := NewAS(c.AS)
	if err != nil {
		return nil, err
	}
	rs, err := NewRS(RSConfig{
		Resource: resource, Issuers: []string{c.AS.Issuer}, Verifier: as.Verifier(), Scopes: c.AS.Scopes[:min(1, len(c.AS.Scopes))],
		NoMetadata: true, MCP: c.MCP, Faults: rsFaults, Logger: c.AS.Logger, Now: c.AS.Now,
	})
	if err != nil {
		return nil, err
	}
	return &Legacy{AS: as, RS: rs}, nil
}

// ServeHTTP answers one request.
func (l *Legacy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.AS.Serves(l.AS.origin + r.URL.EscapedPath()) {
		l.AS.ServeHTTP(w, r)
		return
	}
	l.RS.ServeHTTP(w, r)
}

// Serve binds addr, which must be loopback, and runs until the context ends.
func (l *Legacy) Serve(ctx context.Context, addr string) error {
	l.AS.Announce()
	return listenAndServe(ctx, addr, l)
}
