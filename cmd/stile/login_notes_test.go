package main

import (
	"path/filepath"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// A login that worked by a tolerance says by which, and so does the story of its
// trace; an issuer that wants certificates is named as one.
func TestTolerancesAreSaid(t *testing.T) {
	for _, x := range []struct {
		name  string
		fault string
		flags []string
		says  []string
	}{
		{name: "google-offline", flags: []string{"--waive", "google-offline"}, says: []string{"quirk google-offline", "authz-req-prompt-consent"}},
		{name: "redirect-localhost", flags: []string{"--waive", "redirect-localhost"}, says: []string{"quirk redirect-localhost", "authz-req-loopback-literal"}},
		{name: "assume-s256", fault: "asm-no-pkce", flags: []string{"--waive", "assume-s256"}, says: []string{"asm-pkce-advertised"}},
		{name: "certificates", fault: "asm-tls-auth-only", says: []string{"needs a key or a certificate", "tls_client_auth", "clientauth-mtls-unsupported"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, server := peers(t, func(c *devas.ASConfig) {
				if x.fault != "" {
					c.Faults = []string{x.fault}
				}
			}, nil)
			c := newCLI(t)
			trace := filepath.Join(t.TempDir(), "login.ndjson")
			contains(t, c.ok(append([]string{"login", server, "--trace", trace}, x.flags...)...).err, append(x.says, "noted: ")...)
			contains(t, c.ok("explain", trace).out, x.says...)
			contains(t, newCLI(t).ok(append([]string{"login", server, "--json"}, x.flags...)...).err, `{"noted":"`, x.says[0])
		})
	}
	// With a secret there is no way: the error says what is missing, and what to ask for.
	issuer, server := peers(t, func(c *devas.ASConfig) { c.Faults = []string{"asm-tls-auth-only"} }, nil)
	c := newCLI(t)
	c.env["STILE_CLIENT_SECRET"] = "a secret of the app"
	contains(t, c.exit(exitPeer, "login", server, "--client-id", "app", "--issuer", issuer).err,
		"a key or a certificate", `"tls_client_auth"`, "clientauth-mtls-unsupported", "fault of", "the server", "ask the issuer's operator for a public client")
}
