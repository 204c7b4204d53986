package main

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// A server that redirects a request with a token out of the resource is at fault:
// the error has the rule and the part that differs. The token goes nowhere.
func TestRedirectWithToken(t *testing.T) {
	var to atomic.Pointer[string]
	var leaked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			leaked.Add(1)
		}
	}))
	defer other.Close()
	notebook := newNotebook(time.Now)
	_, server := peers(t, nil, func(c *devas.RSConfig) {
		c.MCP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if at := to.Load(); at != nil {
				http.Redirect(w, r, *at, http.StatusTemporaryRedirect)
				return
			}
			notebook.ServeHTTP(w, r)
		})
	})
	c := newCLI(t)
	c.ok("login", server)
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string][]string{
		"http://" + u.Host + "/other":               {"outside the resource", "bearer-bound-resource", "stile login http://" + u.Host + "/other"},
		other.URL + "/mcp":                          {"another port, " + other.URL + "/mcp", "challenge-redirect-not-auth"},
		"https://" + u.Host + "/mcp":                {"another scheme, https://" + u.Host + "/mcp", "challenge-redirect-not-auth"},
		"http://elsewhere.example/mcp":              {"another host, http://elsewhere.example/mcp", "challenge-redirect-not-auth"},
		"http://localhost:" + u.Port() + "/mcp?x=y": {"another host, http://localhost:" + u.Port() + "/mcp", "challenge-redirect-not-auth"},
	} {
		to.Store(&at)
		for _, args := range [][]string{{"tools", server}, {"call", server, "get_time"}} {
			r := c.exit(exitPeer, args...)
			said := strings.Join(strings.Fields(r.err), " ")
			contains(t, said, append(want, "fault of the server", "what to do")...)
		}
	}
	if n := leaked.Load(); n != 0 {
		t.Errorf("the token went to another server %d times", n)
	}
}

// An https server that sends its clients to http does not know what is in front of
// it: its operator is told, and nobody is advised to use http.
func TestRedirectToClear(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/mcp/", http.StatusTemporaryRedirect)
	})
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newCLI(t).exit(exitPeer, "tools", server.URL+"/mcp", "--ca-bundle", ca, "--allow-private", "127.0.0.1")
	said := strings.Join(strings.Fields(r.err), " ")
	contains(t, said, "another scheme", "X-Forwarded-Proto", "fault of the server")
	if strings.Contains(said, "stile login http://") {
		t.Errorf("http is recommended for an https server: %s", said)
	}
}
