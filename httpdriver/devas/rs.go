package devas

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/bearer/mcpsdk"
	"github.com/stile-oauth/stile/httpdriver/version"
)

// RSConfig says how the protected MCP server behaves.
type RSConfig struct {
	// Resource is the public address of the MCP endpoint, e.g.
	// http://localhost:8001/mcp.
	Resource string
	// Issuers are the authorization servers that it names and trusts.
	Issuers  []string
	Verifier bearer.Verifier
	// Scopes every request needs; Tools adds to them by MCP tool.
	Scopes  []string
	Tools   []bearer.ToolScopes
	Implies [][2]string
	// AllowMissingAudience accepts tokens without an audience; one for another
	// resource is refused nevertheless.
	AllowMissingAudience bool
	// DPoP is whether tokens bound to keys are accepted (RFC 9449), or only those;
	// DPoPNonces demands that proofs hold a nonce of this server.
	DPoP       peer.DPoP
	DPoPNonces bool
	// NoMetadata serves no resource metadata (MCP 2025-03-26).
	NoMetadata bool
	// Origins are further origins whose web pages may call; those on loopback
	// always may (rs-origin-check).
	Origins []string
	// MCP is what is protected; nil means NewMCP.
	MCP    http.Handler
	Faults []string
	Logger *slog.Logger
	Now    func() time.Time
}

// RS is the protected MCP server over HTTP. It is safe for concurrent use.
type RS struct {
	config RSConfig
	guard  *bearer.Guard
	mux    *http.ServeMux

	mu   sync.Mutex // guards peer, which only acts with faults
	peer *peer.RS
}

// NewRS makes the server.
func NewRS(c RSConfig) (*RS, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MCP == nil {
		c.MCP = NewMCP(c.Now)
	}
	c.MCP = mcpsdk.Handler(c.MCP)
	dpop, err := possession(c)
	if err != nil {
		return nil, err
	}
	g, err := bearer.New(bearer.Config{
		DPoP: dpop,
		Policy: bearer.Policy{
			Resource: c.Resource, Issuers: c.Issuers, Scopes: c.Scopes, Implies: c.Implies,
			AllowMissingAudience: c.AllowMissingAudience,
		},
		Verifier: c.Verifier, Tools: c.Tools, NoMetadata: c.NoMetadata, Preflight: true, Now: c.Now, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	s := &RS{config: c, guard: g, mux: http.NewServeMux()}
	g.Mount(s.mux, cors(c.MCP))
	if len(c.Faults) == 0 {
		return s, nil
	}
	pc := peer.RSConfig{
		Resource: c.Resource, AuthorizationServers: c.Issuers, Scopes: c.Scopes, Implies: c.Implies,
		NoMetadata: c.NoMetadata, NoAudience: c.AllowMissingAudience, Faults: c.Faults,
		DPoP: c.DPoP, DPoPNonces: c.DPoPNonces, Verify: VerifyJWS,
	}
	for _, t := range c.Tools {
		pc.Rules = append(pc.Rules, peer.ScopeRule{Tool: t.Tool, Scopes: t.Scopes})
	}
	s.peer, err = peer.NewRS(pc)
	return s, err
}

// Serve binds addr, which must be loopback, and runs until the context ends.
func (s *RS) Serve(ctx context.Context, addr string) error {
	s.Announce()
	return listenAndServe(ctx, addr, s)
}

// Announce says in the log what this is. Serve calls it.
func (s *RS) Announce() {
	s.config.Logger.Warn("DEVELOPMENT resource server: not for production", "resource", s.config.Resource,
		"issuers", s.config.Issuers, "faults", s.config.Faults)
}

// ServeHTTP answers one request.
func (s *RS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !ownHost(r.Host, s.config.Resource) {
		http.Error(w, "this server does not have that name", http.StatusMisdirectedRequest)
		return
	}
	metadata := strings.HasPrefix(r.URL.Path, "/.well-known/")
	if origins := r.Header.Values("Origin"); !metadata && len(origins) > 0 {
		anybody := slices.Contains(s.config.Faults, "origin-unchecked")
		if !anybody && (len(origins) > 1 || !ownOrigin(origins[0], s.config.Resource, s.config.Origins)) {
			http.Error(w, "requests from that origin are not answered", http.StatusForbidden)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", origins[0])
		w.Header().Add("Vary", "Origin")
	}
	if s.peer != nil {
		s.misbehave(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// cors answers preflight requests, which the guard lets through, and hands
// everything else on.
func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce, Mcp-Session-Id")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "Authorization, DPoP, Content-Type, Accept, Last-Event-ID, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// misbehave lets the pure peer, with its faults, judge instead of the guard.
func (s *RS) misbehave(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20+1))
	if err != nil || len(body) > 1<<20 {
		oauthError(w, http.StatusRequestEntityTooLarge)
		return
	}
	req, _ := toWire(&http.Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: http.NoBody}, originOf(s.config.Resource))
	req.Body = body
	now := s.config.Now()
	known := map[string]peer.Introspection{}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if _, v := bearer.ReadToken([]string{"Bearer " + token}); v.OK() {
		// Asked before the lock is taken.
		if c, err := s.config.Verifier.Verify(r.Context(), token); err == nil {
			known[token] = peer.Introspection{
				Active: true, Issuer: c.Issuer, Subject: c.Subject, ClientID: c.ClientID, Scopes: c.Scopes,
				Audience: c.Audience, Issued: c.Issued, Expires: c.Expires, Thumbprint: c.Thumbprint,
			}
		}
	}
	s.mu.Lock()
	j := s.peer.Judge(now, req, func(_ time.Time, token string) peer.Introspection { return known[token] })
	s.mu.Unlock()
	logVerdict(s.config.Logger, r, j.Response.Status, j.Verdict)
	if !j.Pass {
		fromWire(w, j.Response)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	bearer.WithClaims(cors(s.config.MCP), bearer.Claims{
		Issuer: j.Who.Issuer, Subject: j.Who.Subject, ClientID: j.Who.ClientID, Scopes: j.Who.Scopes, Audience: j.Who.Audience, Expires: j.Who.Expires,
	}).ServeHTTP(w, r)
}

// Verifier judges the tokens of this authorization server in process.
func (s *AS) Verifier() bearer.Verifier {
	return bearer.VerifierFunc(func(_ context.Context, token string) (bearer.Claims, error) {
		t := s.Introspect(s.config.Now(), token)
		if !t.Active {
			return bearer.Claims{}, bearer.ErrInvalidToken
		}
		return bearer.Claims{
			Issuer: t.Issuer, Subject: t.Subject, ClientID: t.ClientID, Scopes: t.Scopes, Audience: t.Audience,
			Issued: t.Issued, Expires: t.Expires, Type: typeOf(t), Thumbprint: t.Thumbprint,
		}, nil
	})
}

func typeOf(t peer.Introspection) string {
	if t.Thumbprint != "" {
		return "DPoP"
	}
	return "Bearer"
}

// possession is what the guard is told about proofs.
func possession(c RSConfig) (*bearer.DPoP, error) {
	if c.DPoP == peer.NoDPoP {
		return nil, nil
	}
	out := &bearer.DPoP{Required: c.DPoP == peer.DPoPRequired}
	if !c.DPoPNonces {
		return out, nil
	}
	var err error
	out.Nonces, err = bearer.NewNonces(nil, 0)
	return out, err
}

// Server is what a resource server needs to know of an authorization server.
type Server struct {
	Issuer        string `json:"issuer"`
	Introspection string `json:"introspection_endpoint"`
	JWKS          string `json:"jwks_uri"`
}

// Discover reads an authorization server's metadata (RFC 8414 §3) for a
// resource server that is configured with its address. The issuer is as the
// document spells it; the address may have one trailing slash more or less.
func Discover(ctx context.Context, client *http.Client, issuer string) (Server, error) {
	base := strings.TrimSuffix(issuer, "/")
	origin := originOf(base)
	address := origin + "/.well-known/oauth-authorization-server" + strings.TrimPrefix(base, origin)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Server{}, fmt.Errorf("devas: %q is no address", issuer)
	}
	req.Header.Set("User-Agent", version.Get().UserAgent())
	resp, err := client.Do(req)
	if err != nil {
		return Server{}, fmt.Errorf("devas: the authorization server does not answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return Server{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return Server{}, fmt.Errorf("devas: %s was answered with status %d", address, resp.StatusCode)
	}
	var s Server
	if err := json.Unmarshal(body, &s); err != nil {
		return Server{}, errors.New("devas: the metadata is not a JSON object")
	}
	if strings.TrimSuffix(s.Issuer, "/") != base {
		return Server{}, fmt.Errorf("devas: the metadata is of issuer %q, not %q", show(s.Issuer), issuer)
	}
	return s, nil
}
