package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// bridgeError is what a host learns of a request that failed.
type bridgeError struct {
	Code     int64
	Message  string
	URL      string `json:"authorization_url"`
	UserCode string `json:"user_code"`
	Paste    string `json:"paste"`
	See      string `json:"see"`
	Fault    string `json:"fault_of"`
	Rule     string `json:"rule"`
}

func failedAs(t *testing.T, err error) bridgeError {
	t.Helper()
	var said *jsonrpc.Error
	if !errors.As(err, &said) {
		t.Fatalf("%v is no error of JSON-RPC", err)
	}
	var e bridgeError
	if err := json.Unmarshal(said.Data, &e); err != nil {
		t.Fatalf("%v in the data of %v: %s", err, said, said.Data)
	}
	e.Code, e.Message = said.Code, said.Message // the data has a message too
	at := seen.FindStringSubmatch(e.See)
	if at == nil || !entries()[at[1]] {
		t.Errorf("the page of troubleshooting has no entry for %+v", e)
	}
	return e
}

// noBrowser fails the test when a browser is opened.
func noBrowser(t *testing.T) func(context.Context, string) error {
	return func(context.Context, string) error { t.Error("a browser was opened"); return nil }
}

// Without a user, a client logs in in its own name; the port of the redirect does not
// matter, and the flags of mcp-remote do the same.
func TestBridgeWithClientCredentials(t *testing.T) {
	dir := t.TempDir()
	clients, secret := filepath.Join(dir, "clients.json"), filepath.Join(dir, "secret")
	for path, text := range map[string]string{secret: "robot-secret\n", clients: `[{"id":"robot","secret":"robot-secret","grant_types":["client_credentials"]}]`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	issuer, server := peers(t, func(c *devas.ASConfig) {
		f := issuerFlags{scopes: c.Scopes, life: c.AccessTokenTTL, user: devas.DemoUser, clientFile: clients, noRegistration: true}
		if err := f.configure(newCLI(t).app(&lockedBuffer{}, &lockedBuffer{}), c); err != nil {
			t.Fatal(err)
		}
	}, nil)
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	port := taken.URL[strings.LastIndex(taken.URL, ":")+1:]
	for _, flags := range [][]string{
		{"--grant", "client-credentials", "--client-id", "robot", "--issuer", issuer, "--client-secret-file", secret},
		{"--client-credentials", "--issuer", issuer, "--static-oauth-client-info", `{"client_id":"robot","client_secret":"${ROBOT}"}`},
	} {
		c := newCLI(t)
		c.browse, c.env["ROBOT"] = noBrowser(t), "robot-secret"
		for range 2 { // two instances, neither of which waits for the other
			b := startBridge(t, c, nil, append([]string{server, port}, flags...)...)
			if tools, err := b.ListTools(t.Context(), nil); err != nil || len(tools.Tools) == 0 {
				t.Fatalf("%v: %s", err, b.err)
			}
			if strings.Contains(b.err.String(), "port") || strings.Contains(b.err.String(), "robot-secret") {
				t.Errorf("it says %s", b.err)
			}
		}
	}
	contains(t, newCLI(t).exit(exitUsage, "bridge", server, "--client-id", "robot", "--issuer", issuer, "--client-secret-file", "-").err, "standard input")
}

// The platform vouches for the workload that the bridge runs in.
func TestBridgeOfAWorkload(t *testing.T) {
	platform, err := devas.NewKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	issuer, server := peers(t, func(c *devas.ASConfig) {
		c.Trusted = append(c.Trusted, peer.Trusted{Issuer: "https://platform.example", JWKS: platform.JWKS, Workloads: true})
	}, nil)
	claims, err := json.Marshal(map[string]any{
		"iss": "https://platform.example", "sub": "job", "aud": issuer, "jti": "1", "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "assertion")
	if err := os.WriteFile(file, []byte(platform.Sign([]byte(`{"alg":"EdDSA","kid":"`+platform.ID+`"}`), claims)), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCLI(t)
	c.browse = noBrowser(t)
	b := startBridge(t, c, nil, server, "--grant", "workload", "--issuer", issuer, "--workload-from", "file:"+file)
	if tools, err := b.ListTools(t.Context(), nil); err != nil || len(tools.Tools) == 0 {
		t.Errorf("%v: %s", err, b.err)
	}
}

// The user decides on another device: the host gets the address and the code at once, and
// the request is answered after the login.
func TestBridgeWithADevice(t *testing.T) {
	t.Parallel() // it waits for the device grant's interval
	_, server := peers(t, nil, nil)
	for _, flag := range []string{"--device-code", "--grant=device"} {
		c := newCLI(t)
		c.browse = noBrowser(t)
		b := startBridge(t, c, nil, server, flag, "--auth-timeout", "0")
		_, err := b.ListTools(t.Context(), nil)
		e := failedAs(t, err)
		if e.Code != -32042 || e.UserCode == "" || !strings.Contains(e.URL, "/device") || !strings.Contains(e.Message, e.UserCode) || e.Paste != "" {
			t.Errorf("%+v", e)
		}
		eventually(t, "the code is printed", func() bool { return strings.Contains(b.err.String(), e.UserCode) })
		eventually(t, "the login is done", func() bool { _, err := b.ListTools(t.Context(), nil); return err == nil })
		v := decode[statusView](t, c.ok("bridge", "status", server, "--json").out)
		if !v.LoggedIn {
			t.Errorf("%+v", v)
		}
	}
}

// The user of a company logs in at its identity provider, once; the login at the server
// follows by itself.
func TestBridgeWithAnIdentityProvider(t *testing.T) {
	provider, issuer, server := companyPeers(t)
	c := newCLI(t)
	c.env["STILE_CLIENT_SECRET"], c.env["STILE_IDP_CLIENT_SECRET"] = devas.EnterpriseSecret, devas.EnterpriseIdPSecret
	var opened atomic.Int32
	c.browse = func(ctx context.Context, url string) error {
		if !strings.HasPrefix(url, provider) {
			t.Errorf("the browser was sent to %s", url)
		}
		opened.Add(1)
		return followAll(ctx, url)
	}
	flags := []string{server, "--grant", "enterprise", "--idp", provider, "--idp-client-id", devas.EnterpriseClientID, "--issuer", issuer, "--client-id", devas.EnterpriseClientID}
	b := startBridge(t, c, nil, flags...)
	if tools, err := b.ListTools(t.Context(), nil); err != nil || len(tools.Tools) == 0 {
		t.Fatalf("%v: %s", err, b.err)
	}
	again := startBridge(t, c, nil, flags...)
	if _, err := again.ListTools(t.Context(), nil); err != nil || opened.Load() != 1 {
		t.Errorf("%v, %d browsers: %s", err, opened.Load(), again.err)
	}
}

// The browser is on another machine: the address where it ends is pasted into a command,
// and the bridge goes on.
func TestBridgeTakesAPastedAddress(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.browse = noBrowser(t)
	b := startBridge(t, c, nil, server, "--no-browser", "--auth-timeout", "0")
	_, err := b.ListTools(t.Context(), nil)
	e := failedAs(t, err)
	if e.Paste != "stile bridge paste "+server {
		t.Fatalf("%+v", e)
	}
	eventually(t, "the command is printed", func() bool { return strings.Contains(b.err.String(), e.Paste) })
	end := elsewhere(t, e.URL)
	for _, wrong := range []string{"", "yes", "http://127.0.0.1/callback?code=x&state=of-no-login"} {
		c.in = strings.NewReader(wrong + "\n")
		r := c.run("bridge", "paste", server)
		if r.code != exitUsage && r.code != exitLogin {
			t.Errorf("%q: exit status %d: %s", wrong, r.code, r.err)
		}
	}
	c.in = strings.NewReader("<" + end + ">\n")
	contains(t, c.ok("bridge", "paste", server).out, "Logged in to")
	if tools, err := b.ListTools(t.Context(), nil); err != nil || len(tools.Tools) == 0 {
		t.Errorf("%v: %s", err, b.err)
	}
	c.in = strings.NewReader(end + "\n")
	contains(t, c.exit(exitLogin, "bridge", "paste", server).err, "no login waits")
}

// Tokens are bound to a key, which all instances share.
func TestBridgeWithBoundTokens(t *testing.T) {
	_, server := peers(t, func(c *devas.ASConfig) { c.DPoP, c.DPoPNonces = peer.DPoPRequired, true },
		func(c *devas.RSConfig) { c.DPoP, c.DPoPNonces = peer.DPoPRequired, true })
	c := newCLI(t)
	for range 2 {
		b := startBridge(t, c, nil, server, "--dpop", "require")
		if tools, err := b.ListTools(t.Context(), nil); err != nil || len(tools.Tools) == 0 {
			t.Fatalf("%v: %s", err, b.err)
		}
	}
	if v := decode[statusView](t, c.ok("bridge", "status", server, "--json").out); !v.Bound {
		t.Errorf("%+v", v)
	}
}
