package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// The tests put nothing into the keyring of whoever runs them.
func TestMain(m *testing.M) {
	keyring.MockInit()
	os.Exit(m.Run())
}

// cli is a user at a machine: an environment, a browser, a store of his own.
type cli struct {
	t        *testing.T
	env      map[string]string
	in       io.Reader
	browse   func(context.Context, string) error
	terminal bool
}

type result struct {
	code     int
	out, err string
}

func newCLI(t *testing.T) *cli {
	t.Helper()
	return &cli{t: t, env: map[string]string{"STILE_STORE": "file:" + filepath.Join(t.TempDir(), "store")}, browse: followAll}
}

// run runs a command, as main would.
func (c *cli) run(args ...string) result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	var out, errs lockedBuffer
	code := run(ctx, args, c.app(&out, &errs))
	return result{code, out.String(), errs.String()}
}

func (c *cli) app(out, errs io.Writer) *app {
	in := c.in
	if in == nil {
		in = strings.NewReader("")
	}
	return &app{
		in: in, out: out, err: errs, browse: c.browse,
		getenv:   func(name string) string { return c.env[name] },
		terminal: func(io.Writer) bool { return c.terminal },
	}
}

// ok runs a command that must succeed.
func (c *cli) ok(args ...string) result {
	c.t.Helper()
	return c.exit(exitOK, args...)
}

// exit runs a command that must end with this status.
func (c *cli) exit(want int, args ...string) result {
	c.t.Helper()
	r := c.run(args...)
	if r.code != want {
		c.t.Fatalf("stile %s: exit status %d, want %d\nout: %s\nerr: %s", strings.Join(args, " "), r.code, want, r.out, r.err)
	}
	return r
}

// decode reads the one JSON value that a command printed.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("more than one value in %q", text)
	}
	return v
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, w := range wants {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// followAll is a browser in which nobody has to do anything: it follows every
// redirect, also the one back to the command.
func followAll(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
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

// person is a human at the pages of the development authorization server: he
// logs in, and then allows or denies.
func person(t *testing.T, decision string) func(context.Context, string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	return func(ctx context.Context, address string) error {
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
						t.Errorf("the human is stuck at %s: %s", resp.Request.URL.Path, body)
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
			if err != nil && ctx.Err() == nil {
				t.Errorf("the human failed: %v", err)
			}
		}()
		return nil
	}
}

// peers serves an authorization server that consents by itself, and an MCP
// server with the tools of the demo. The functions may change either.
func peers(t *testing.T, as func(*devas.ASConfig), rs func(*devas.RSConfig)) (issuer, resource string) {
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
	a.Config.Handler, r.Config.Handler = asServer, rsServer
	a.Start()
	r.Start()
	t.Cleanup(func() { a.Close(); r.Close() })
	return issuer, resource
}
