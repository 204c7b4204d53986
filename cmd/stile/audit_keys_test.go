package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/keys"
)

// What the operator gives besides a login is tried: a client that acts for itself, a
// second user, test issuers of assertions. A flag that lacks its other half is refused
// before anything is sent.
func TestAuditGiven(t *testing.T) {
	_, text := newKey(t)
	k, err := keys.Parse(text, keys.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set := []byte(k.About().Keys)
	_, resource := peers(t, func(c *devas.ASConfig) {
		c.AutoConsent, c.ClientCredentials, c.DPoP = false, true, peer.DPoPOffered
		c.Users = append(c.Users, peer.User{Name: devas.DemoUser, Password: devas.DemoPassword}, peer.User{Name: "other_user", Password: "other_password"})
		c.Clients = append(c.Clients, peer.PreClient{ID: "signer", Method: "private_key_jwt", JWKS: set, GrantTypes: []string{"client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"}})
		c.Trusted = []peer.Trusted{{Issuer: "https://idp.example", JWKS: set}, {Issuer: "https://ci.example", JWKS: set, Workloads: true}}
	}, func(c *devas.RSConfig) { c.DPoP = peer.DPoPOffered })
	c := newCLI(t)
	c.env["XDG_STATE_HOME"], c.env["STILE_AUDIT_SECOND_PASSWORD"] = t.TempDir(), "other_password"
	key := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(key, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r := c.ok("audit", resource, "--login", "--json", "--only", "ext,lg.denied,lg.reconsent,az.silent-redirect,aud.session-cross", "--as-user", devas.DemoUser, "--as-second-user", "other_user",
		"--cc-client", "signer", "--cc-key-file", key, "--idp", "https://idp.example", "--idp-key-file", key, "--workload-issuer", "https://ci.example", "--workload-key-file", key)
	report := decode[audit.Report](t, r.out)
	for _, id := range []string{"ext.dpop-rs", "ext.dpop-down", "ext.cc-wrong", "ext.ema-signature", "ext.wif-signature", "lg.denied", "lg.reconsent", "az.silent-redirect", "aud.session-cross"} {
		if o := outcomeOf(report, id); o != audit.Pass {
			t.Errorf("%s: %s", id, o)
		}
	}
	for want, args := range map[string][]string{
		"its secret or":        {"--cc-client", "signer"},
		"--workload-key-file:": {"--workload-issuer", "https://ci.example", "--workload-key-file", "audit_keys_test.go"},
	} {
		if r := c.exit(exitUsage, append([]string{"audit", resource, "--login"}, args...)...); !strings.Contains(r.err, want) {
			t.Errorf("%v: %s", args, r.err)
		}
	}
}
