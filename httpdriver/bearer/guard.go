package bearer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// The answers of a Verifier that are not claims.
var (
	// ErrInvalidToken says that the token is unknown, expired, revoked or
	// forged. The request is answered with 401.
	ErrInvalidToken = errors.New("bearer: the token is not valid")
	// ErrUnavailable says that nothing could be found out. The request is
	// answered with 503; any other error is treated alike.
	ErrUnavailable = errors.New("bearer: tokens cannot be verified now")
)

// Verifier finds out what a token stands for. It may cache; it must not
// return claims of a token that its issuer did not vouch for. It is called
// concurrently.
type Verifier interface {
	Verify(ctx context.Context, token string) (Claims, error)
}

// VerifierFunc is a function as a Verifier.
type VerifierFunc func(ctx context.Context, token string) (Claims, error)

// Verify calls the function.
func (f VerifierFunc) Verify(ctx context.Context, token string) (Claims, error) { return f(ctx, token) }

// ToolScopes says which scopes a call of an MCP tool needs beside the
// policy's.
type ToolScopes struct {
	Tool   string
	Scopes []string
}

// Config says how a Guard works. Policy.Resource, Policy.Issuers and Verifier
// are needed.
type Config struct {
	Policy   Policy
	Verifier Verifier
	// Tools makes the Guard read the body of POST requests, to see which MCP
	// tools are called. The body of a form is read in any case, to see whether
	// it brings a second token. A body that is read has at most MaxBody octets
	// (default 1 MiB); a larger one is answered with 413.
	Tools   []ToolScopes
	MaxBody int64
	// Metadata is published (RFC 9728); Resource and AuthorizationServers
	// default to the policy's, ScopesSupported to its Scopes. MetadataURL is
	// what challenges name; it defaults to the path-inserted address.
	Metadata    Metadata
	MetadataURL string
	// NoMetadata neither publishes nor names metadata: MCP 2025-03-26.
	NoMetadata bool
	// DPoP takes tokens that are bound to a key of the client; nil refuses them.
	DPoP *DPoP
	// Realm is put into challenges.
	Realm string
	// Preflight lets CORS preflight requests (OPTIONS with
	// Access-Control-Request-Method, never a token) through to the handler.
	Preflight bool
	Now       func() time.Time
	// Logger logs every refusal with its rule, and never a token.
	Logger *slog.Logger
}

// Guard protects handlers. It is immutable and safe for concurrent use.
type Guard struct {
	config   Config
	dpop     *possession // nil: bound tokens are refused
	metadata []byte
	path     string
}

// New checks the configuration.
func New(c Config) (*Guard, error) {
	u, err := url.Parse(c.Policy.Resource)
	if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("bearer: the resource %q is not an absolute URL without fragment", c.Policy.Resource)
	}
	if len(c.Policy.Issuers) == 0 && !c.Policy.AllowMissingIssuer {
		return nil, errors.New("bearer: no issuer is trusted, so no token could ever be good")
	}
	if c.Verifier == nil {
		return nil, errors.New("bearer: a Verifier is needed")
	}
	if c.Policy.Skew < 0 || c.Policy.Skew > MaxSkew {
		return nil, fmt.Errorf("bearer: a skew is between 0 and %s", MaxSkew)
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Policy.Issuers, c.Policy.Scopes, c.Policy.Implies = slices.Clone(c.Policy.Issuers), slices.Clone(c.Policy.Scopes), slices.Clone(c.Policy.Implies)
	g := &Guard{config: c}
	if g.dpop, err = c.possession(); err != nil {
		return nil, err
	}
	m := c.Metadata
	if g.dpop != nil {
		g.config.Policy.Bound = g.dpop.Required
		m.DPoPAlgs, m.DPoPRequired = g.dpop.Algorithms, g.dpop.Required
	}
	if m.Resource == "" {
		m.Resource = c.Policy.Resource
	}
	if m.AuthorizationServers == nil {
		m.AuthorizationServers = c.Policy.Issuers
	}
	if m.ScopesSupported == nil {
		m.ScopesSupported = c.Policy.Scopes
	}
	if g.metadata, err = m.encode(); err != nil {
		return nil, err
	}
	address := MetadataURL(c.Policy.Resource)
	g.path = strings.TrimPrefix(address, u.Scheme+"://"+u.Host)
	g.path, _, _ = strings.Cut(g.path, "?")
	if g.config.MetadataURL == "" {
		g.config.MetadataURL = address
	}
	if c.NoMetadata {
		g.config.MetadataURL = ""
	}
	return g, nil
}

// Handler protects next with the policy's scopes, and with those of the MCP
// tools that a request calls.
func (g *Guard) Handler(next http.Handler) http.Handler { return g.Require(next) }

// Require protects next with further scopes.
func (g *Guard) Require(next http.Handler, scopes ...string) http.Handler {
	need := union(g.config.Policy.Scopes, scopes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.config.Preflight && r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" && r.Header.Get("Authorization") == "" {
			next.ServeHTTP(w, r)
			return
		}
		if claims, ok := g.admit(w, r, need); ok {
			next.ServeHTTP(w, r.WithContext(newPrincipalContext(r.Context(), claims, len(g.config.Policy.Issuers) > 1)))
		}
	})
}

// admit judges the request. If it returns false, it has answered the request.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request, need []string) (Claims, bool) {
	bound, token, v := readToken(r.Header["Authorization"], g.dpop != nil)
	refuse := func(v Verdict) (Claims, bool) {
		g.refuse(w, r, v, bound)
		return Claims{}, false
	}
	if g.dpop != nil && g.dpop.Nonces != nil {
		w.Header().Set("DPoP-Nonce", g.dpop.Nonces.Current(g.config.Now()))
	}
	if !v.OK() {
		if v.Status == 401 {
			v.Scopes = need
		}
		return refuse(v)
	}
	claims, err := g.config.Verifier.Verify(r.Context(), token)
	switch {
	case errors.Is(err, ErrInvalidToken):
		return refuse(Verdict{Status: 401, Error: "invalid_token", Rule: rules.RSUnknownToken401, Says: "the token is not valid", Scopes: need})
	case err != nil:
		g.config.Logger.Error("token not verified", "error", err.Error())
		wait := "5"
		if errors.Is(err, ErrBusy) {
			wait = "1"
		}
		w.Header().Set("Retry-After", wait)
		return refuse(Verdict{Status: 503, Error: "temporarily_unavailable", Rule: rules.RSIntrospectDown, Says: "tokens cannot be verified at the moment"})
	}
	for _, f := range claims.Findings {
		g.config.Logger.Info("tolerated", "rule", f.Rule, "detail", f.Detail)
	}
	policy := g.config.Policy
	policy.Scopes = need
	claims.Proven = false
	var proof wire.ReadProof
	if bound {
		if proof, v = g.dpop.prove(r, g.config.Now(), token, claims.Thumbprint); !v.OK() {
			v.Scopes = need
			return refuse(v)
		}
		claims.Proven = true
	}
	if v = Decide(g.config.Now(), policy, claims); v.OK() && bound {
		v = g.dpop.once(g.config.Now(), proof)
	}
	// The body is read only for a token that is good enough so far.
	if v.OK() && isForm(r) {
		v = g.form(r, v)
	}
	if v.OK() && len(g.config.Tools) > 0 && r.Method == http.MethodPost {
		v = g.tools(r, policy, claims)
	}
	if !v.OK() {
		return refuse(v)
	}
	return claims, true
}

// tools adds the scopes of the tools that the body calls, and judges again.
func (g *Guard) tools(r *http.Request, policy Policy, claims Claims) Verdict {
	body, v := g.body(r)
	if !v.OK() {
		return v
	}
	names, err := calledTools(body)
	if err != nil {
		return Verdict{Status: 400, Error: "invalid_request", Rule: rules.RSValidateBeforeWork, Says: "the body is not an unambiguous JSON-RPC message"}
	}
	for _, t := range g.config.Tools {
		if slices.Contains(names, t.Tool) {
			policy.Scopes = union(policy.Scopes, t.Scopes)
		}
	}
	return Decide(g.config.Now(), policy, claims)
}

// body reads the whole body and puts it back for the handler.
func (g *Guard) body(r *http.Request) ([]byte, Verdict) {
	body, err := io.ReadAll(io.LimitReader(r.Body, g.config.MaxBody+1))
	if err != nil {
		return nil, Verdict{Status: 400, Error: "invalid_request", Rule: rules.RSValidateBeforeWork, Says: "the body could not be read"}
	}
	if int64(len(body)) > g.config.MaxBody {
		return nil, Verdict{Status: 413, Error: "invalid_request", Rule: rules.RSValidateBeforeWork, Says: "the body is too large"}
	}
	_ = r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, Verdict{Status: 200}
}
