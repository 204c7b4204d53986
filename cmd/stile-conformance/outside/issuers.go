package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// issuer is somebody else's authorization server.
type issuer struct {
	name string
	// scopes are the scopes that its tokens can have for the resource: the first is
	// needed for everything, the second for whoami. It is empty if the server has no
	// scopes for resources.
	scopes []string
	// published is scopes_supported of the resource; nil means the same as scopes.
	published []string
	// registers says that clients register themselves.
	registers bool
	// bound says that tokens are bound to keys, and that both servers want nonces.
	bound bool
	// keyed says that the client authenticates with a key of its own.
	keyed bool
	// itself says that it also serves the MCP server, at /mcp.
	itself bool
	// begin starts it, and returns the origin at which it answers.
	begin func(ctx context.Context, f *foreign) (*process, string, error)
	// verifier judges its tokens for the resource server; nil if the issuer does that itself.
	verifier func(origin string, f *foreign) (bearer.Verifier, error)
	// policy is what the client has to be told about it.
	policy func(ctx context.Context, f *foreign) (httpdriver.Policy, error)
	stages []stage
	// explained is what an audit finds; nil means that it is not audited.
	explained explained
	// lacks says which stages are left out, and why; the table prints it.
	lacks string
}

func (i issuer) title() string {
	if i.lacks == "" {
		return i.name
	}
	return i.name + " (" + i.lacks + ")"
}

// introspector is the client that the resource server introspects as.
const introspector = "rs"

var issuers = []issuer{
	oidcProvider("opaque tokens, clients register", "opaque", true, false),
	oidcProvider("JWTs, clients register", "jwt", true, false),
	oidcProvider("opaque tokens, client document", "opaque", false, false),
	oidcProvider("opaque tokens bound to keys, with nonces", "opaque", true, true),
	oidcProvider("JWTs bound to keys, with nonces", "jwt", true, true),
	withKey(oidcProvider("opaque tokens, clients with a key register", "opaque", true, false)),
	atDevice(oidcProvider("opaque tokens, the user decides at another device", "opaque", true, false)),
	workersProvider,
	dex,
}

// withKey is an issuer whose client authenticates by private_key_jwt (RFC 7523). The
// stages in which somebody else revokes the client's tokens are left out, because they
// would need the key.
func withKey(i issuer) issuer {
	i.keyed, i.explained = true, nil // the audit holds no key
	i.stages = []stage{logsIn, refreshesOnce, restarts, refreshesCold, stepsUp, outlastsAbsence, outlastsAmnesia, learnsOfDenial, logsOut, authenticatesByKey}
	return i
}

// atDevice is an issuer whose user decides at another device (RFC 8628).
func atDevice(i issuer) issuer {
	i.explained = nil // audited above
	i.policy = func(context.Context, *foreign) (httpdriver.Policy, error) {
		return httpdriver.Policy{Grant: states.DeviceGrant}, nil
	}
	i.stages = []stage{logsInAtDevice, refreshesOnce, restarts, refreshesCold, outlastsAbsence, learnsOfDenialAtDevice, logsOut}
	return i
}

// oidcProvider is oidc-provider with its stock policy and its own pages.
func oidcProvider(name, format string, registers, bound bool) issuer {
	i := issuer{explained: oidcExplained, name: "oidc-provider 9.13.3, " + name, scopes: []string{"user", "extra"}, registers: registers, bound: bound, stages: wholeLife}
	i.begin = func(ctx context.Context, f *foreign) (*process, string, error) {
		arg, err := json.Marshal(map[string]any{
			"issuer": f.issuer, "resource": f.resource, "scopes": i.scopes, "format": format,
			"registration": registers, "documents": !registers, "bound": bound, "device": true,
			"introspector": map[string]string{"id": introspector, "secret": introspector + "-secret"},
		})
		if err != nil {
			return nil, "", err
		}
		script, err := f.options.script("oidc-provider.mjs")
		if err != nil {
			return nil, "", err
		}
		var said struct{ Port int }
		p, err := start(ctx, "oidc-provider", []string{"NODE_EXTRA_CA_CERTS=" + f.roots}, &said, f.kit.Node, script, string(arg))
		return p, fmt.Sprintf("http://127.0.0.1:%d", said.Port), err
	}
	i.verifier = func(origin string, f *foreign) (bearer.Verifier, error) {
		if format == "jwt" {
			keys, err := bearer.NewKeySet(bearer.KeySetConfig{URL: origin + "/jwks"})
			if err != nil {
				return nil, err
			}
			return bearer.NewJWT(bearer.JWTConfig{Keys: keys})
		}
		return bearer.NewIntrospection(bearer.IntrospectionConfig{
			URL: origin + "/token/introspection", ClientID: introspector, ClientSecret: introspector + "-secret", CacheFor: -1,
		})
	}
	switch {
	case bound:
		i.explained = nil // the audit holds no key
	case !registers:
		i.explained = documentExplained
	case format == "jwt":
		i.explained = oidcJWTExplained
	}
	i.policy = func(ctx context.Context, f *foreign) (httpdriver.Policy, error) {
		if bound {
			return httpdriver.Policy{Binding: states.RequireBinding}, nil
		}
		if registers {
			return httpdriver.Policy{}, nil
		}
		roots, err := f.publish(ctx, f.options)
		f.roots = roots
		return httpdriver.Policy{CIMD: f.document}, err
	}
	return i
}

// dex does not support resources, and its clients are configured. It has only the
// metadata of OpenID Connect, and no revocation.
var dex = issuer{
	name: "dex 2.41.1", published: []string{"openid"}, stages: configuredLife,
	lacks: "no step-up: its tokens have no scopes; no revocation: it has no endpoint; no denial: it ends at its own page",
	begin: func(ctx context.Context, f *foreign) (*process, string, error) {
		port, err := freePort()
		if err != nil {
			return nil, "", err
		}
		config, err := json.Marshal(map[string]any{ // YAML reads JSON
			"issuer": f.issuer, "storage": map[string]any{"type": "memory"},
			"web":        map[string]any{"http": fmt.Sprintf("127.0.0.1:%d", port)},
			"oauth2":     map[string]any{"skipApprovalScreen": true},
			"connectors": []any{map[string]any{"type": "mockCallback", "id": "mock", "name": "mock"}},
			"staticClients": []any{map[string]any{
				"id": preregistered, "secret": preregistered + "-secret", "name": preregistered, "redirectURIs": f.policy.Redirects,
			}},
			"logger": map[string]any{"level": "error"},
		})
		if err != nil {
			return nil, "", err
		}
		file := filepath.Join(f.options.cache, "dex.json")
		if err := os.WriteFile(file, config, 0o600); err != nil {
			return nil, "", err
		}
		p, err := start(ctx, "dex", nil, nil, f.options.dex, "serve", file)
		if err != nil {
			return nil, "", err
		}
		origin := fmt.Sprintf("http://127.0.0.1:%d", port)
		if err := answers(ctx, origin+"/.well-known/openid-configuration"); err != nil {
			return nil, "", errors.Join(err, p.stop())
		}
		return p, origin, nil
	},
	// The audience of its tokens is the client, so no resource can recognize them as
	// its own. The resource asks whose token it is, as such servers do.
	verifier: func(origin string, f *foreign) (bearer.Verifier, error) {
		return bearer.VerifierFunc(func(ctx context.Context, token string) (bearer.Claims, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/userinfo", nil)
			if err != nil {
				return bearer.Claims{}, err
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return bearer.Claims{}, err
			}
			defer func() { _ = resp.Body.Close() }()
			var who struct {
				Sub string `json:"sub"`
			}
			if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&who) != nil {
				return bearer.Claims{}, bearer.ErrInvalidToken
			}
			return bearer.Claims{
				Issuer: f.issuer, Subject: who.Sub, ClientID: preregistered, Audience: []string{f.resource}, Expires: time.Now().Add(time.Minute),
			}, nil
		}), nil
	},
	policy: func(_ context.Context, f *foreign) (httpdriver.Policy, error) {
		port, err := freePort()
		return httpdriver.Policy{
			Client:    &states.Configured{Issuer: f.issuer, ID: preregistered, Secret: wire.Secret(preregistered + "-secret")},
			Redirects: []string{fmt.Sprintf("http://127.0.0.1:%d/callback", port)},
		}, err
	},
}

// answers waits until an address answers, for ten seconds at most.
func answers(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", address, errors.Join(ctx.Err(), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}
