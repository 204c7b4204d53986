package devas

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states/wire"
)

// The published defaults of the development servers. They protect nothing.
const (
	DemoUser     = "demo_user"
	DemoPassword = "demo_password"
	// RSClientID and RSClientSecret are what a development resource server
	// introspects with.
	RSClientID     = "dev_resource_server"
	RSClientSecret = "dev_resource_server_secret"
)

// ASConfig says how the authorization server behaves.
type ASConfig struct {
	peer.ASConfig
	// Tenants adds an issuer at each of these paths below Issuer ("team-a"),
	// with the same configuration and a state of its own.
	Tenants []string
	// JWT makes access tokens JWTs signed with a fresh Ed25519 key (RFC 9068).
	JWT bool
	// Fetch gets a client ID metadata document. It is expected to be guarded: https,
	// public addresses, no redirects, bounded size and time. Without it, CIMD
	// is switched off.
	Fetch func(ctx context.Context, url string) (wire.Response, error)
	// FetchKeys gets the JWK set of an issuer in Trusted that is known by its address
	// alone.
	FetchKeys func(ctx context.Context, issuer string) ([]byte, error)
	// StateFile keeps clients, grants and tokens (hashed) over a restart.
	StateFile string
	Logger    *slog.Logger
	Now       func() time.Time
}

// DefaultAS is the configuration of `stile serve as`: scope user, demo user,
// registration, client documents, iss, rotation, one-hour tokens.
func DefaultAS(issuer string) ASConfig {
	return ASConfig{ASConfig: peer.ASConfig{
		Issuer: issuer, Scopes: []string{"user"}, AccessTokenTTL: time.Hour,
		DCR: true, CIMD: true, Iss: true, RefreshRotation: true, ClientCredentials: true, Device: true,
		Users:   []peer.User{{Name: DemoUser, Password: DemoPassword}},
		Clients: []peer.PreClient{{ID: RSClientID, Secret: RSClientSecret, Name: "development resource server", GrantTypes: []string{"client_credentials"}, Introspect: true}},
	}}
}

// AS is the authorization server over HTTP. It is safe for concurrent use.
type AS struct {
	config ASConfig
	origin string
	flight singleflight.Group
	slots  chan struct{} // bounds the fetches under way

	mu      sync.Mutex // guards all below
	tenants []*peer.AS
	file    *stateFile
}

// NewAS makes the server, with the state of its file if there is one.
func NewAS(c ASConfig) (*AS, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Fetch == nil {
		c.CIMD = false
	}
	if len(c.Seed) == 0 {
		c.Seed = make([]byte, 32)
		if _, err := rand.Read(c.Seed); err != nil {
			return nil, err
		}
	}
	if c.JWT {
		key, err := NewKey(nil)
		if err != nil {
			return nil, err
		}
		c.Sign, c.SignAlg, c.SignKeyID, c.JWKS = key.Sign, "EdDSA", key.ID, key.JWKS
	}
	if c.Verify == nil {
		c.Verify = VerifyJWS
	}
	if c.Render == nil {
		c.Render, c.PageCSP = Render, pageCSP
	}
	s := &AS{config: c, origin: originOf(c.Issuer), slots: make(chan struct{}, 8)}
	issuers := []string{c.Issuer}
	for _, t := range c.Tenants {
		if t == "" || strings.Trim(t, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return nil, fmt.Errorf("devas: a tenant is named by letters, digits, - and _, not %q", t)
		}
		issuers = append(issuers, strings.TrimSuffix(c.Issuer, "/")+"/"+t)
	}
	for _, issuer := range issuers {
		pc := c.ASConfig
		pc.Issuer = issuer
		p, err := peer.NewAS(pc)
		if err != nil {
			return nil, err
		}
		s.tenants = append(s.tenants, p)
	}
	if c.StateFile != "" {
		s.file = &stateFile{path: c.StateFile}
		saved, err := s.file.load()
		if err != nil {
			return nil, err
		}
		for _, t := range saved.Tenants {
			for _, p := range s.tenants {
				if p.Issuer() != t.Issuer {
					continue
				}
				if err := p.Restore(t.State); err != nil {
					return nil, fmt.Errorf("devas: the state of %s cannot be read: %w", t.Issuer, err)
				}
			}
		}
	}
	return s, nil
}

// Serve binds addr, which must be loopback, and runs until the context ends.
func (s *AS) Serve(ctx context.Context, addr string) error {
	s.Announce()
	return listenAndServe(ctx, addr, s)
}

// Announce says in the log what this is. Serve calls it.
func (s *AS) Announce() {
	s.config.Logger.Warn("DEVELOPMENT authorization server: published password, keys in memory, not for production",
		"issuer", s.config.Issuer, "faults", s.config.Faults)
}

// ServeHTTP answers one request.
func (s *AS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !ownHost(r.Host, s.config.Issuer) {
		http.Error(w, "this server does not have that name", http.StatusMisdirectedRequest)
		return
	}
	// A slow body holds up only its own request.
	deadline := http.NewResponseController(w)
	_ = deadline.SetReadDeadline(time.Now().Add(15 * time.Second)) // not every writer has one
	req, status := toWire(r, s.origin)
	_ = deadline.SetReadDeadline(time.Time{})
	if status != 0 {
		oauthError(w, status)
		return
	}
	resp, why, ok := s.answer(r.Context(), req)
	if !ok {
		http.NotFound(w, r)
		return
	}
	logVerdict(s.config.Logger, r, resp.Status, why)
	fromWire(w, resp)
}

// logVerdict says why a request was answered as it was: which rule it broke, or
// which fault made the server break one.
func logVerdict(log *slog.Logger, r *http.Request, status int, why peer.Verdict) {
	what := []any{"method", r.Method, "path", show(r.URL.Path), "status", status}
	if why.Fault != "" {
		f, _ := peer.FaultNamed(why.Fault)
		log.Warn("misbehaved on purpose", append(what, "fault", why.Fault, "rule", f.Rule)...)
	}
	if why.Rule != "" {
		log.Info("refused", append(what, "rule", why.Rule, "detail", why.Detail)...)
		return
	}
	log.Debug("answered", what...)
}

func oauthError(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"error":"invalid_request","error_description":"the body is too large or not well formed"}`))
}

// keep writes the state file; the caller holds the lock. A failure is logged,
// and the server goes on: its memory is right.
func (s *AS) keep() {
	if s.file == nil {
		return
	}
	out := savedState{Version: 1}
	for _, p := range s.tenants {
		snap, err := p.Snapshot()
		if err != nil {
			s.config.Logger.Error("state not kept", "error", err.Error())
			return
		}
		out.Tenants = append(out.Tenants, savedTenant{p.Issuer(), snap})
	}
	if err := s.file.save(out); err != nil {
		s.config.Logger.Error("state not kept", "error", err.Error())
	}
}

// Introspect judges a token in process, for a resource server that shares it.
func (s *AS) Introspect(at time.Time, token string) peer.Introspection {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.tenants {
		if t := p.Introspect(at, token); t.Active {
			return t
		}
	}
	return peer.Introspection{}
}
