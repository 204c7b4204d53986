package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/guard"
)

// companyPeers starts a company's identity provider, an issuer that trusts it, and a
// protected server.
func companyPeers(t *testing.T) (provider, issuer, server string) {
	t.Helper()
	p := httptest.NewUnstartedServer(nil)
	provider = "http://" + p.Listener.Addr().String()
	config := devas.DefaultIdP(provider)
	config.AutoConsent = true
	idp, err := devas.NewAS(config)
	if err != nil {
		t.Fatal(err)
	}
	p.Config.Handler = idp
	p.Start()
	t.Cleanup(p.Close)
	g, err := guard.New(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	issuer, server = peers(t, func(a *devas.ASConfig) {
		a.Trust(provider, false)
		a.FetchKeys = devas.FetchKeys(g, true)
	}, nil)
	return provider, issuer, server
}

// A user of a company logs in at its provider; the whole life of a token follows, and
// secrets are in files or in the environment only.
func TestEnterprise(t *testing.T) {
	provider, issuer, server := companyPeers(t)
	secret := filepath.Join(t.TempDir(), "idp-secret")
	if err := os.WriteFile(secret, []byte(devas.EnterpriseIdPSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCLI(t)
	c.env["STILE_CLIENT_SECRET"] = devas.EnterpriseSecret
	flags := []string{"--grant", "enterprise", "--idp", provider, "--idp-client-id", devas.EnterpriseClientID, "--issuer", issuer, "--client-id", devas.EnterpriseClientID}
	with := func(more ...string) []string { return append(append([]string{}, more...), flags...) }
	contains(t, c.exit(exitUsage, "login", server, "--grant", "enterprise").err, "--idp")
	contains(t, c.exit(exitUsage, "login", server, "--grant", "enterprise", "--idp", provider, "--idp-client-id", "x").err, "--issuer")
	contains(t, c.exit(exitUsage, "login", server, "--idp", provider).err, "--grant enterprise")
	r := c.ok(with("login", server, "-v", "--idp-client-secret-file", secret)...)
	for _, text := range []string{devas.EnterpriseSecret, devas.EnterpriseIdPSecret, "eyJ"} {
		if strings.Contains(r.out+r.err, text) {
			t.Errorf("%s is shown", text)
		}
	}
	c.env["STILE_IDP_CLIENT_SECRET"] = devas.EnterpriseIdPSecret
	if tok := strings.TrimSpace(c.ok(with("token", server)...).out); !strings.HasPrefix(tok, "at_") {
		t.Errorf("the token is %q", tok)
	}
	c.ok(with("tools", server)...)
	contains(t, c.ok("status").out, provider)
	c.ok("logout", server)
	contains(t, c.ok("status").out, provider)
	c.ok("logout", provider)
}
