package httpdriver_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// follow is a user agent without a human: it reads Location.
func follow(ctx context.Context, v httpdriver.Visit) (string, error) {
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(ctx, "GET", v.URL, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	_ = resp.Body.Close()
	return resp.Header.Get("Location"), nil
}

func TestColdLogin(t *testing.T) {
	asSrv := httptest.NewUnstartedServer(nil)
	asURL := "http://" + asSrv.Listener.Addr().String()
	cfg := devas.DefaultAS(asURL)
	cfg.AutoConsent = true
	as, err := devas.NewAS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	asSrv.Config.Handler = as
	asSrv.Start()
	defer asSrv.Close()

	rsSrv := httptest.NewUnstartedServer(nil)
	rsURL := "http://" + rsSrv.Listener.Addr().String() + "/mcp"
	server, err := devas.Discover(t.Context(), http.DefaultClient, asURL)
	if err != nil {
		t.Fatal(err)
	}
	rc, err := devas.DefaultRS(rsURL, server)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := devas.NewRS(rc)
	if err != nil {
		t.Fatal(err)
	}
	rsSrv.Config.Handler = rs
	rsSrv.Start()
	defer rsSrv.Close()

	d, err := httpdriver.New(httpdriver.Options{Host: httpdriver.UserAgent(follow), Observe: func(s httpdriver.Step) {
		t.Logf("%s --%s--> %s %v", s.From.State, s.Result.Event, s.Result.Machine.State, s.Result.Effects)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	c, err := d.Client(httpdriver.Account{Server: rsURL})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest("POST", rsURL, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if err := d.Logout(t.Context(), httpdriver.Account{Server: rsURL}); err != nil {
		t.Fatal(err)
	}
}
