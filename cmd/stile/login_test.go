package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// The life of a login, command by command.
func TestLogin(t *testing.T) {
	issuer, server := peers(t, nil, nil)
	c := newCLI(t)

	contains(t, c.exit(exitLogin, "status", server).err, "no store at ", "stile login "+server)
	contains(t, c.exit(exitLogin, "token", server).err, "no store at ", "stile login "+server)

	r := c.ok("login", server, "-v")
	contains(t, r.out, "Logged in to "+server, issuer, "renewed automatically")
	contains(t, r.err, "Discovering-PRM", "Registering", "Exchanging", "/authorize?")
	if strings.Contains(r.out, "access") {
		t.Errorf("a token in the output? %s", r.out)
	}

	st := decode[statusView](t, c.ok("status", server, "--json").out)
	if !st.LoggedIn || st.Issuer != issuer || st.Server != server || !st.Renewable || strings.Join(st.Scopes, " ") != demoScope || st.Expires == "" || st.Expired {
		t.Errorf("status %+v", st)
	}
	if all := decode[[]statusView](t, c.ok("status", "--json").out); len(all) != 1 || all[0].Server != server {
		t.Errorf("status of all: %+v", all)
	}

	token := c.ok("token", server)
	if n := len(strings.TrimSpace(token.out)); n < 20 || strings.ContainsAny(strings.TrimSpace(token.out), " \n") || token.err != "" {
		t.Errorf("not the token alone: %d bytes, on standard error %q", n, token.err)
	}
	again := decode[struct {
		AccessToken string `json:"access_token"`
		Type        string `json:"token_type"`
	}](t, c.ok("token", server, "--json").out)
	if again.AccessToken != strings.TrimSpace(token.out) || again.Type != "Bearer" {
		t.Errorf("another token: %+v", again.Type)
	}

	contains(t, c.ok("tools", server).out, "add_note", "get_time", "arguments: text")
	contains(t, c.ok("call", server, "get_time").out, `"time"`)
	c.in = strings.NewReader(`{"text":"from standard input"}`)
	r = c.ok("call", server, "add_note", "-", "--verbose")
	contains(t, r.out, `"notes":1`)
	contains(t, r.err, "StepUp")
	if st := decode[statusView](t, c.ok("status", server, "--json").out); strings.Join(st.Scopes, " ") != demoScope+" "+noteScope {
		t.Errorf("scopes after the step-up: %v", st.Scopes)
	}
	tools := decode[[]struct {
		Name string `json:"name"`
	}](t, c.ok("tools", server, "--json").out)
	if len(tools) != 2 {
		t.Errorf("tools: %+v", tools)
	}
	contains(t, c.exit(exitUsage, "call", server, "no_such_tool").err, "no_such_tool", "stile tools "+server)

	// A login that is good is left alone.
	before := c.ok("token", server).out
	c.ok("login", server)
	if c.ok("token", server).out != before {
		t.Error("login made a new login")
	}
	c.ok("login", server, "--again")
	if c.ok("token", server).out == before {
		t.Error("login --again made no new login")
	}

	contains(t, c.ok("logout", server).out, "Logged out")
	contains(t, c.ok("logout", server).out, "Nobody was logged in")
	contains(t, c.exit(exitLogin, "status", server).err, "nobody is logged in", "stile login "+server)
	contains(t, c.exit(exitLogin, "token", server).err, "nobody is logged in", "stile login "+server)
	contains(t, c.ok("status").out, "Nobody is logged in")
	c.exit(exitLogin, "token", server)
	if left := c.ok("store", "list", "--kind", "credential").out; !strings.Contains(left, "Nothing is stored") {
		t.Errorf("left over: %s", left)
	}
}

// What is added to the address of the login page arrives there, and is not in the trace,
// which replays.
func TestLoginWithParameters(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	var visited string
	c.browse = func(ctx context.Context, url string) error { visited = url; return followAll(ctx, url) }
	file := filepath.Join(t.TempDir(), "login.trace")
	c.ok("login", server, "--authorize-param", "login_hint=ada@corp.example", "--authorize-param", "organization=corp", "--trace", file)
	contains(t, visited, "login_hint=ada%40corp.example", "organization=corp")
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), "ada@") || strings.Contains(string(text), "ada%40") {
		t.Errorf("%v: the trace names the user", err)
	}
	c.ok("replay", file)
	contains(t, c.exit(exitUsage, "login", server, "--authorize-param", "redirect_uri=https://evil.example").err, "--authorize-param", "redirect_uri")
}

func TestLoginScopes(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	scopes := func() string {
		return strings.Join(decode[statusView](t, c.ok("status", server, "--json").out).Scopes, " ")
	}
	c.ok("login", server)
	c.ok("login", server, "--scope", noteScope)
	if got := scopes(); got != demoScope+" "+noteScope {
		t.Errorf("scopes %q", got)
	}
	c.ok("logout", server)
	c.ok("login", server, "--only-scopes", "--scope", demoScope)
	if got := scopes(); got != demoScope {
		t.Errorf("scopes %q", got)
	}
}

// A server that asks for no login.
func TestLoginToAnOpenServer(t *testing.T) {
	open := httptest.NewServer(newNotebook(time.Now))
	defer open.Close()
	c := newCLI(t)
	contains(t, c.ok("login", open.URL).out, "No login is needed")
	contains(t, c.ok("tools", open.URL).out, "get_time")
	c.exit(exitPeer, "login", open.URL, "--again")
}

func TestAccounts(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.ok("login", server, "--account", "work")
	c.exit(exitLogin, "token", server)
	c.ok("login", server, "--account", "home")
	if c.ok("token", server, "--account", "work").out == c.ok("token", server, "--account", "home").out {
		t.Error("two accounts, one token")
	}
	contains(t, c.ok("status").out, "(account home)", "(account work)")
	c.ok("logout", server, "--account", "home")
	c.ok("token", server, "--account", "work")
}

// A client registered beforehand, its secret from the environment or a file.
func TestConfiguredClient(t *testing.T) {
	clients := filepath.Join(t.TempDir(), "clients.json")
	if err := os.WriteFile(clients, []byte(`[{"id":"app","secret":"a secret of the app","redirect_uris":["http://127.0.0.1/callback"]}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	issuer, server := peers(t, func(c *devas.ASConfig) {
		f := issuerFlags{scopes: c.Scopes, life: c.AccessTokenTTL, user: devas.DemoUser, auto: true, clientFile: clients, noRegistration: true}
		if err := f.configure(newCLI(t).app(io.Discard, io.Discard), c); err != nil {
			t.Fatal(err)
		}
	}, nil)
	c := newCLI(t)
	contains(t, c.exit(exitUsage, "login", server).err, "configure its client id")
	contains(t, c.exit(exitUsage, "login", server, "--client-id", "app").err, "needs --issuer")
	c.env["STILE_CLIENT_SECRET"] = "a secret of the app"
	c.ok("login", server, "--client-id", "app", "--issuer", issuer)
	if st := decode[statusView](t, c.ok("status", server, "--json").out); st.ClientID != "app" {
		t.Errorf("client %q", st.ClientID)
	}
	c.ok("logout", server)
	delete(c.env, "STILE_CLIENT_SECRET")
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("a secret of the app\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.ok("login", server, "--client-id", "app", "--issuer", issuer, "--client-secret-file", file)
	// The wrong secret is never shown.
	c.ok("logout", server)
	c.env["STILE_CLIENT_SECRET"] = "wrong-but-secret"
	if r := c.run("login", server, "--client-id", "app", "--issuer", issuer, "-v"); r.code == exitOK || strings.Contains(r.out+r.err, "wrong-but-secret") {
		t.Errorf("exit status %d, %s%s", r.code, r.out, r.err)
	}
}

// Scopes that were asked for and not granted are named, and are not asked for
// again and again: the issuer refuses a scope that it does not know, and a login
// goes on with less.
func TestScopesThatAreNotGranted(t *testing.T) {
	for _, x := range []struct {
		name   string
		faults []string
		before bool // somebody had logged in to another server of the issuer
		scope  string
		visits int
	}{
		{name: "unknown", scope: "nosuch", visits: 2},
		{name: "unknown, with a client of an earlier login", before: true, scope: "nosuch", visits: 2},
		{name: "narrowed", faults: []string{"scope-narrowed"}, scope: noteScope, visits: 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, server := peers(t, func(c *devas.ASConfig) { c.Faults = x.faults }, nil)
			c := newCLI(t)
			if x.before {
				c.ok("login", server, "--account", "before")
			}
			before := c.run("store", "list", "--kind", "registration").out
			opened := 0
			c.browse = func(ctx context.Context, at string) error { opened++; return followAll(ctx, at) }
			r := c.ok("login", server, "--scope", x.scope)
			contains(t, r.out, "Logged in to", "did not grant: "+x.scope)
			contains(t, r.err, "noted:", x.scope)
			if opened != 1 { // the first page leads to the second
				t.Errorf("the browser was opened %d times", opened)
			}
			if visits := strings.Count(r.err, "/authorize?"); visits != x.visits {
				t.Errorf("%d visits, want %d:\n%s", visits, x.visits, r.err)
			}
			if after := c.ok("store", "list", "--kind", "registration").out; x.before && after != before {
				t.Errorf("registered again:\n%s%s", before, after)
			}
			v := decode[struct {
				LoggedIn   bool     `json:"logged_in"`
				Scopes     []string `json:"scopes"`
				NotGranted []string `json:"not_granted"`
			}](t, c.ok("login", server, "--scope", x.scope, "--again", "--json").out)
			if !v.LoggedIn || strings.Join(v.Scopes, " ") != demoScope || strings.Join(v.NotGranted, " ") != x.scope {
				t.Errorf("%+v", v)
			}
		})
	}
}

// A login that worked only by a tolerance names it, and so does the story of its
// trace; an issuer that wants certificates is described as one.
func TestTolerancesAreSaid(t *testing.T) {
	for _, x := range []struct {
		name  string
		fault string
		flags []string
		says  []string
	}{
		{name: "google-offline", flags: []string{"--quirk", "google-offline"}, says: []string{"quirk google-offline", "authz-req-prompt-consent"}},
		{name: "redirect-localhost", flags: []string{"--quirk", "redirect-localhost"}, says: []string{"quirk redirect-localhost", "authz-req-loopback-literal"}},
		{name: "assume-s256", fault: "asm-no-pkce", flags: []string{"--quirk", "assume-s256"}, says: []string{"asm-pkce-advertised"}},
		{name: "certificates", fault: "asm-tls-auth-only", says: []string{"authentication methods that this client cannot use", "tls_client_auth", "clientauth-mtls-unsupported"}},
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
	// With a secret no login is possible: the error says what is missing, and what to ask for.
	issuer, server := peers(t, func(c *devas.ASConfig) { c.Faults = []string{"asm-tls-auth-only"} }, nil)
	c := newCLI(t)
	c.env["STILE_CLIENT_SECRET"] = "a secret of the app"
	contains(t, c.exit(exitPeer, "login", server, "--client-id", "app", "--issuer", issuer).err,
		"authentication methods that this client cannot use", `"tls_client_auth"`, "clientauth-mtls-unsupported", "fault of", "the authorization server", "ask the issuer's operator for a public client")
}

// TestNoDisplay: where no browser can be opened, the address is printed and the answer is pasted
// back, without any flag.
func TestNoDisplay(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	toCommand, fromUser := io.Pipe()
	c.in = toCommand
	elsewhere := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c.browse = func(_ context.Context, at string) error {
		resp, err := elsewhere.Get(at)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		go func() { _, _ = io.WriteString(fromUser, resp.Header.Get("Location")+"\n") }()
		return errors.New("no display")
	}
	contains(t, c.ok("login", server).out, "Logged in to")
}

// TestUserInURL: a server's address holds no password.
func TestUserInURL(t *testing.T) {
	c := newCLI(t)
	r := c.run("login", "http://alice:hunter2@127.0.0.1:1/mcp")
	if r.code != exitUsage || strings.Contains(r.err+r.out, "hunter2") {
		t.Errorf("exit status %d: %s%s", r.code, r.out, r.err)
	}
}
