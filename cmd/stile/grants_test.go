package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// A client asks in its own name, with a key that is in a file or in the environment,
// and never among the arguments; then the whole life goes without a browser.
func TestClientCredentialsWithAKey(t *testing.T) {
	private, text := newKey(t)
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	clients, key := filepath.Join(dir, "clients.json"), filepath.Join(dir, "robot.pem")
	for path, b := range map[string][]byte{key: text, clients: []byte(`[{"id":"robot","grant_types":["client_credentials"],"token_endpoint_auth_method":"private_key_jwt","jwks":` + string(jwks) + `}]`)} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	issuer, server := peers(t, func(c *devas.ASConfig) {
		f := issuerFlags{scopes: c.Scopes, life: c.AccessTokenTTL, user: devas.DemoUser, clientFile: clients, noRegistration: true}
		if err := f.configure(newCLI(t).app(io.Discard, io.Discard), c); err != nil {
			t.Fatal(err)
		}
	}, nil)
	c := newCLI(t)
	own := []string{"--grant", "client-credentials", "--client-id", "robot", "--issuer", issuer}
	with := func(more ...string) []string { return append(append([]string{}, more...), own...) }
	contains(t, c.exit(exitUsage, with("login", server)...).err, "a secret or a key")
	contains(t, c.exit(exitUsage, "login", server, "--grant", "client-credentials").err, "--client-id")
	contains(t, c.exit(exitUsage, "login", server, "--grant", "password").err, "--grant")
	contains(t, c.exit(exitUsage, with("login", server, "--client-key-file", clients)...).err, "key")
	c.ok(with("login", server, "--client-key-file", key)...)
	if st := decode[statusView](t, c.ok("status", server, "--json").out); st.ClientID != "robot" {
		t.Errorf("client %q", st.ClientID)
	}
	c.ok("logout", server)
	c.env["STILE_CLIENT_KEY"] = string(text)
	r := c.ok(with("login", server, "-v")...)
	if strings.Contains(r.out+r.err, "PRIVATE") {
		t.Error("the key is shown")
	}
	contains(t, c.exit(exitUsage, "login", server, "--grant", "workload", "--issuer", issuer).err, "--workload-from")
	contains(t, c.exit(exitUsage, "login", server, "--workload-from", "github").err, "--grant workload")
}

// A token is bound to a key: the login makes one, and what follows uses it without being
// told; a program that gets the token alone is told what it lacks.
func TestTokensBoundToAKey(t *testing.T) {
	_, server := peers(t, func(c *devas.ASConfig) { c.DPoP, c.DPoPNonces = peer.DPoPRequired, true },
		func(c *devas.RSConfig) { c.DPoP, c.DPoPNonces = peer.DPoPRequired, true })
	c := newCLI(t)
	contains(t, c.exit(exitUsage, "login", server, "--dpop", "perhaps").err, "--dpop")
	if r := c.run("login", server); r.code == 0 {
		t.Error("a login without a key")
	}
	c.ok("login", server, "--dpop", "require")
	if st := decode[statusView](t, c.ok("status", server, "--json").out); !st.Bound {
		t.Errorf("%+v", st)
	}
	contains(t, c.ok("status", server).out, "bound")
	contains(t, c.ok("call", server, "get_time").out, "20")
	r := c.ok("token", server, "--json")
	contains(t, r.out, `"DPoP"`)
	contains(t, r.err, "proof")
	contains(t, c.ok("store", "list").out, "bound")
	c.exit(exitLogin, "token", server, "--dpop", "off")
	c.ok("logout", server)
}

// newKey is a new key of a client, also as a file would hold it.
func newKey(t *testing.T) (private *ecdsa.PrivateKey, text []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
