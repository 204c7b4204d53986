package main

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/guard"
)

// issuerFlags are the flags of a server that issues tokens.
type issuerFlags struct {
	listenFlags
	scopes         []string
	user, password string
	life, refresh  time.Duration
	auto, deny     bool
	stateFile      string
	clients        []string
	clientFile     string
	noRegistration bool
	noRotation     bool
}

func (f *issuerFlags) add(c *cobra.Command, port int) {
	f.listenFlags.add(c, port, "issuer")
	fl := c.Flags()
	fl.StringArrayVar(&f.scopes, "scope", []string{"user"}, "a `SCOPE` that can be granted (repeatable); the first is the default")
	fl.StringVar(&f.user, "user", devas.DemoUser, "the `NAME` of the user who can log in")
	fl.StringVar(&f.password, "password", devas.DemoPassword, "the `PASSWORD` of that user; it protects nothing")
	fl.DurationVar(&f.life, "token-life", time.Hour, "how long an access token is valid")
	fl.DurationVar(&f.refresh, "refresh-life", 30*24*time.Hour, "how long a refresh token is valid")
	fl.BoolVar(&f.auto, "auto-consent", false, "grant access at once, without asking the user")
	fl.BoolVar(&f.deny, "deny", false, "deny access at once, without asking the user")
	fl.StringVar(&f.stateFile, "state-file", "", "the `FILE` that keeps clients and grants across restarts")
	fl.StringArrayVar(&f.clients, "client", nil, "a public client, `ID=REDIRECT_URI` (repeatable)")
	fl.StringVar(&f.clientFile, "client-file", "", "a JSON `FILE` of clients: a list of objects with id, secret, name, redirect_uris, grant_types, token_endpoint_auth_method, jwks and introspect")
	fl.BoolVar(&f.noRegistration, "no-registration", false, "offer no dynamic registration")
	fl.BoolVar(&f.noRotation, "no-rotation", false, "keep refresh tokens instead of replacing them at each use")
}

// configure puts the flags into the configuration of a server.
func (f *issuerFlags) configure(a *app, c *devas.ASConfig) error {
	c.Scopes, c.AccessTokenTTL, c.RefreshTokenTTL = f.scopes, f.life, f.refresh
	c.Users = []peer.User{{Name: f.user, Password: f.password}}
	c.AutoConsent, c.Deny, c.StateFile, c.Logger = f.auto && !f.deny, f.deny, f.stateFile, a.serverLog()
	if f.noRegistration {
		c.DCR = false
	}
	if f.noRotation {
		c.RefreshRotation = false
	}
	for _, cl := range f.clients {
		id, uri, ok := strings.Cut(cl, "=")
		if !ok || id == "" || uri == "" {
			return usage("--client: %q is not ID=REDIRECT_URI", cl)
		}
		c.Clients = append(c.Clients, peer.PreClient{ID: id, Name: id, RedirectURIs: []string{uri}})
	}
	if f.clientFile == "" {
		return nil
	}
	b, err := os.ReadFile(f.clientFile)
	if err != nil {
		return usage("--client-file: %w", err)
	}
	var list []struct {
		ID           string          `json:"id"`
		Secret       string          `json:"secret"`
		Name         string          `json:"name"`
		RedirectURIs []string        `json:"redirect_uris"`
		GrantTypes   []string        `json:"grant_types"`
		Method       string          `json:"token_endpoint_auth_method"`
		JWKS         json.RawMessage `json:"jwks"`
		Introspect   bool            `json:"introspect"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return usage("--client-file: %s is not a list of clients", f.clientFile) // without the contents of the file
	}
	for _, cl := range list {
		if cl.ID == "" {
			return usage("--client-file: a client has no id")
		}
		c.Clients = append(c.Clients, peer.PreClient{
			ID: cl.ID, Secret: cl.Secret, Name: cl.Name, RedirectURIs: cl.RedirectURIs, GrantTypes: cl.GrantTypes, Method: cl.Method, JWKS: cl.JWKS, Introspect: cl.Introspect,
		})
	}
	return nil
}

func newServeAS(a *app) *cobra.Command {
	var (
		f            issuerFlags
		jwt, offline bool
		tenants      []string
		noCIMD       bool
		trust, vouch []string
		allowPrivate []string
		proofs       dpopFlags
	)
	c := &cobra.Command{
		Use:   "as",
		Short: "Serve an authorization server",
		Long: `Serves a development authorization server: metadata (RFC 8414 and OpenID Connect),
registration, client ID metadata documents, authorization code with S256, iss,
resource indicators, refresh with rotation, introspection, revocation, device
grant; with --trust, the jwt-bearer grant; tokens bound to keys (DPoP). The user logs in
at a real page, as demo_user with the password demo_password.`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.side(true); err != nil {
				return err
			}
			dpop, err := proofs.policy()
			if err != nil {
				return err
			}
			ln, issuer, err := f.listen()
			if err != nil {
				return err
			}
			config := devas.DefaultAS(issuer)
			if err := f.configure(a, &config); err != nil {
				_ = ln.Close()
				return err
			}
			config.DPoP, config.DPoPNonces = dpop, proofs.nonces
			config.JWT, config.OfflineAccess, config.Tenants, config.Faults = jwt, offline, tenants, f.faults
			g, err := guard.New(guard.Options{AllowPrivate: allowPrivate, AllowPrivateName: "--allow-private"})
			if err != nil {
				_ = ln.Close()
				return usage("--allow-private: %w", err)
			}
			if !noCIMD {
				config.Fetch = devas.Fetch(g, devas.OnLoopback(issuer))
			}
			for _, i := range trust {
				config.Trust(i, false)
			}
			for _, i := range vouch {
				config.Trust(i, true)
			}
			config.FetchKeys = devas.FetchKeys(g, devas.OnLoopback(issuer))
			as, err := devas.NewAS(config)
			if err != nil {
				_ = ln.Close()
				return &failure{code: exitUsage, err: err}
			}
			as.Announce()
			return a.serve(c.Context(), ln, as, serving{
				Serving: "as", Address: issuer, Issuer: issuer, User: f.user, Password: f.password, Scopes: f.scopes, Faults: f.faults,
				IntrospectionClient: devas.RSClientID, IntrospectionSecret: devas.RSClientSecret,
			}, "authorization server; log in as "+f.user+" with "+f.password, "scopes: "+strings.Join(f.scopes, " "),
				"a resource server introspects as "+devas.RSClientID+" with the secret "+devas.RSClientSecret)
		},
	}
	f.add(c, 9000)
	proofs.add(c)
	fl := c.Flags()
	fl.BoolVar(&jwt, "jwt", false, "issue JWT access tokens (RFC 9068) instead of opaque ones")
	fl.BoolVar(&offline, "offline-access", false, "issue refresh tokens only for the scope offline_access")
	fl.StringArrayVar(&tenants, "tenant", nil, "the `PATH` of an additional issuer (repeatable)")
	fl.StringArrayVar(&trust, "trust", nil, "the `ISSUER` of an identity provider whose ID-JAGs are accepted from the client "+devas.EnterpriseClientID+" with the secret "+devas.EnterpriseSecret+" (repeatable)")
	fl.StringArrayVar(&vouch, "trust-workloads", nil, "an `ISSUER` whose assertions about workloads are accepted (repeatable)")
	fl.BoolVar(&noCIMD, "no-client-documents", false, "accept no client ID metadata documents")
	fl.StringArrayVar(&allowPrivate, "allow-private", nil, "a private `HOST` that client documents may be fetched from (repeatable); a server on loopback reads those on loopback in any case")
	return c
}
