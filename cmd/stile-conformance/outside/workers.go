package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/keys"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// company is the client at a company's identity provider. The provider is ours: stile
// serve idp.
const company = "company"

const bearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// workersProvider accepts a company's ID-JAGs, and judges each of them itself: form,
// signature, audience, client, resource, times and single use. It is the MCP server too.
var workersProvider = issuer{
	name: "workers-oauth-provider 1.2.3, ID-JAGs of a company", scopes: []string{"user", "extra"}, itself: true,
	stages: []stage{logsInByCompany, restarts, renewsByCompany},
	policy: func(ctx context.Context, f *foreign) (httpdriver.Policy, error) {
		cert, roots, err := selfSigned()
		if err != nil {
			return httpdriver.Policy{}, err
		}
		f.roots = filepath.Join(f.options.cache, "company-roots.pem")
		if err := os.WriteFile(f.roots, roots, 0o600); err != nil {
			return httpdriver.Policy{}, err
		}
		// This works because nothing in this process has looked for certificates before.
		// The library requires that a company's provider has one.
		if err := os.Setenv("SSL_CERT_FILE", f.roots); err != nil {
			return httpdriver.Policy{}, err
		}
		origin, err := f.listen(ctx, func(string) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*f.idp.Load()).ServeHTTP(w, r) }), nil
		}, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
		f.private = []string{"127.0.0.1"} // an https address on loopback is a private one
		return httpdriver.Policy{
			Grant:    states.EnterpriseGrant,
			Provider: &states.Configured{Issuer: origin, Secret: company + "-secret"},
		}, err
	},
	begin: func(ctx context.Context, f *foreign) (*process, string, error) {
		provider := f.policy.Provider
		arg, err := json.Marshal(map[string]any{"issuer": f.issuer, "provider": provider.Issuer})
		if err != nil {
			return nil, "", err
		}
		script, err := f.options.script("workers-oauth-provider.mjs")
		if err != nil {
			return nil, "", err
		}
		var said struct{ Port int }
		p, err := start(ctx, "workers-oauth-provider", []string{"NODE_EXTRA_CA_CERTS=" + f.roots}, &said, f.kit.Node, script, string(arg))
		if err != nil {
			return nil, "", err
		}
		origin := fmt.Sprintf("http://127.0.0.1:%d", said.Port)
		client, err := registered(ctx, origin+"/register")
		if err != nil {
			return nil, "", errors.Join(err, p.stop())
		}
		// A company knows its clients by the id that the server gave them.
		client.Issuer, provider.ID = f.issuer, client.ID
		f.policy.Client = client
		config := devas.DefaultIdP(provider.Issuer)
		config.AutoConsent = true
		config.Clients[0].ID, config.Clients[0].Secret = provider.ID, provider.Secret.Reveal()
		if err := signES256(&config); err != nil {
			return nil, "", errors.Join(err, p.stop())
		}
		idp, err := devas.NewAS(config)
		if err != nil {
			return nil, "", errors.Join(err, p.stop())
		}
		h := http.Handler(idp)
		f.idp.Store(&h)
		return p, origin, nil
	},
}

// signES256 makes a server sign with ES256: the library supports only ES256 and RS256, and
// the development server has a key for EdDSA.
func signES256(c *devas.ASConfig) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := keys.New(private, keys.Options{Alg: "ES256", ID: company})
	if err != nil {
		return err
	}
	about := key.About()
	c.JWT, c.SignAlg, c.SignKeyID, c.JWKS = false, about.Alg, about.ID, []byte(about.Keys)
	c.Sign = func(header, claims []byte) string {
		text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
		sig, err := key.Sign(context.Background(), about.Name, about.Alg, []byte(text))
		if err != nil {
			return "" // the judge refuses it
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(sig)
	}
	return nil
}

// registered registers a client with a secret.
func registered(ctx context.Context, address string) (*states.Configured, error) {
	body := `{"client_name":"company","redirect_uris":["http://127.0.0.1/callback"],"response_types":["code"],` +
		`"grant_types":["authorization_code","` + bearerGrant + `"],"token_endpoint_auth_method":"client_secret_basic"}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	var c struct {
		ID     string      `json:"client_id"`
		Secret wire.Secret `json:"client_secret"`
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&c); err != nil || resp.StatusCode != http.StatusCreated {
		return nil, fmt.Errorf("the client was not registered: %s: %s", resp.Status, text)
	}
	return &states.Configured{ID: c.ID, Secret: c.Secret}, nil
}

// redeemed runs something and counts the ID-JAGs that are redeemed meanwhile. No user is
// sent to the issuer, and the client does not register.
func (o *ours) redeemed(do func() error, count int) error {
	before := len(o.f.tap.since(0))
	if err := do(); err != nil {
		return err
	}
	asked := o.f.tap.since(before)
	if n := (outcome{Requests: asked}).grants(bearerGrant); n != count {
		return fmt.Errorf("%d ID-JAGs were redeemed, not %d: %q", n, count, asked)
	}
	for _, r := range asked {
		if strings.Contains(r, "/authorize") || strings.Contains(r, "/register") {
			return fmt.Errorf("the issuer was asked %q", r)
		}
	}
	return nil
}

var (
	logsInByCompany = stage{name: "logs in at the company, and calls both tools", do: func(ctx context.Context, o *ours) error {
		return o.redeemed(func() error {
			if err := o.call(ctx, "get_time"); err != nil {
				return err
			}
			st, err := callTool(ctx, o.session, "whoami")
			if err == nil && !bytes.Contains(st.Output, []byte(`"`+devas.DemoUser+`"`)) {
				err = fmt.Errorf("whoami answered %s", st.Output)
			}
			return err
		}, 1)
	}}
	// renewsByCompany moves the clock by the life of this issuer's tokens, which is shorter
	// than the life of an ID-JAG.
	renewsByCompany = stage{name: "redeems one more ID-JAG for 20 goroutines", do: func(ctx context.Context, o *ours) error {
		o.ahead.Add(int64(61 * time.Second))
		return o.redeemed(func() error {
			g, ctx := errgroup.WithContext(ctx)
			for range 20 {
				g.Go(func() error { return o.call(ctx, "get_time") })
			}
			return g.Wait()
		}, 1)
	}}
)
