package main

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// followAll is a browser in which nobody has to do anything: it follows every
// redirect, including the one back to the command.
func followAll(ctx context.Context, address string) error {
	// A browser goes on when the visit that opened it is over.
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	go func() { // the page that comes back waits for the end of the login
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	return nil
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)"`)
var action = regexp.MustCompile(`<form method="post" action="([^"]*)"`)

// person is a user at the pages of the development authorization server: they
// log in, and then allow or deny.
func person(t *testing.T, decision string) func(context.Context, string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	return func(ctx context.Context, address string) error {
		ctx = context.WithoutCancel(ctx) // a browser goes on when the visit that opened it is over
		go func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
			for page := 0; err == nil && page < 3; page++ {
				var resp *http.Response
				if resp, err = c.Do(req); err != nil {
					break
				}
				body, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				to := action.FindSubmatch(body)
				if to == nil {
					if !strings.HasSuffix(resp.Request.URL.Path, "/callback") {
						t.Errorf("the user is stuck at %s: %s", resp.Request.URL.Path, body)
					}
					return // back at the command
				}
				form := url.Values{"username": {devas.DemoUser}, "password": {devas.DemoPassword}, "decision": {decision}}
				for _, h := range hidden.FindAllSubmatch(body, -1) {
					form.Set(string(h[1]), string(h[2]))
				}
				target, e := resp.Request.URL.Parse(string(to[1]))
				if err = e; err == nil {
					req, err = http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(form.Encode()))
				}
				if err == nil {
					req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
			}
			if err != nil && t.Context().Err() == nil {
				t.Errorf("the user failed: %v", err)
			}
		}()
		return nil
	}
}

// peers serves an authorization server that consents by itself, and an MCP
// server with the tools of the demo. The functions may change either.
func peers(t *testing.T, as func(*devas.ASConfig), rs func(*devas.RSConfig)) (issuer, resource string) {
	t.Helper()
	return peersBehind(t, func(h http.Handler) http.Handler { return h }, as, rs)
}

// peersBehind is peers with a handler before each of the servers.
func peersBehind(t *testing.T, before func(http.Handler) http.Handler, as func(*devas.ASConfig), rs func(*devas.RSConfig)) (issuer, resource string) {
	t.Helper()
	a, r := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	issuer, resource = "http://"+a.Listener.Addr().String(), "http://"+r.Listener.Addr().String()+"/mcp"
	ac := devas.DefaultAS(issuer)
	ac.AutoConsent, ac.Scopes, ac.DefaultScopes = true, []string{demoScope, noteScope}, []string{demoScope}
	if as != nil {
		as(&ac)
	}
	asServer, err := devas.NewAS(ac)
	if err != nil {
		t.Fatal(err)
	}
	rc := devas.RSConfig{
		Resource: resource, Issuers: []string{issuer}, Verifier: asServer.Verifier(), Scopes: []string{demoScope},
		Tools: []bearer.ToolScopes{{Tool: "add_note", Scopes: []string{noteScope}}}, MCP: newNotebook(time.Now),
	}
	if rs != nil {
		rs(&rc)
	}
	rsServer, err := devas.NewRS(rc)
	if err != nil {
		t.Fatal(err)
	}
	a.Config.Handler, r.Config.Handler = before(asServer), before(rsServer)
	a.Start()
	r.Start()
	t.Cleanup(func() { a.Close(); r.Close() })
	return issuer, resource
}
