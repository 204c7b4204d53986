package httpdriver_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/oauth2"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/keyringstore"
)

// protectedServer starts a protected MCP server and its authorization server
// on loopback, which asks nobody for consent.
func protectedServer() (server string, stop func()) {
	w, err := begin(func(s setup) { s.RS.MCP = tools() })
	if err != nil {
		log.Fatal(err)
	}
	return w.Server, w.end
}

// A program on a person's machine: tokens are encrypted, with the key in the keyring, and a
// browser opens when a login is due.
func Example() {
	ctx := context.Background()
	store, notice, err := keyringstore.OpenDefault(ctx, keyringstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(notice) // where the key is, if not in the keyring
	d, err := httpdriver.New(httpdriver.Options{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	client, err := d.Client(httpdriver.Account{Server: "https://mcp.example/mcp"})
	if err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://mcp.example/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		log.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	_ = resp.Body.Close()
}

// An *http.Client that logs in when it is asked to, and sends the token with
// every request.
func ExampleDriver_Client() {
	server, stop := protectedServer()
	defer stop()

	d, err := httpdriver.New(httpdriver.Options{
		// On a person's machine leave Host out: it opens the browser. follow is
		// a user agent without a user.
		Host: httpdriver.UserAgent(follow),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = d.Close() }()

	client, err := d.Client(httpdriver.Account{Server: server})
	if err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, server, strings.NewReader(
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"example","version":"1"}}}`))
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := client.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// The go-sdk's streamable client, with the driver as its OAuth handler.
func ExampleDriver_Handler() {
	server, stop := protectedServer()
	defer stop()
	ctx := context.Background()

	d, err := httpdriver.New(httpdriver.Options{Host: httpdriver.UserAgent(follow)})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = d.Close() }()

	handler, err := d.Handler(httpdriver.Account{Server: server})
	if err != nil {
		log.Fatal(err)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "example", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: server, OAuthHandler: handler}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = session.Close() }()

	// This tool needs more scope than the login asked for: a step-up.
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "admin"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Content[0].(*mcp.TextContent).Text)
	// Output: hello from admin
}

// A token source for everything that takes one of golang.org/x/oauth2.
func ExampleDriver_LoginTokenSource() {
	server, stop := protectedServer()
	defer stop()
	ctx := context.Background()

	d, err := httpdriver.New(httpdriver.Options{Host: httpdriver.UserAgent(follow)})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = d.Close() }()

	// This one logs in, and may open a browser; TokenSource never does.
	var source oauth2.TokenSource
	source, err = d.LoginTokenSource(ctx, httpdriver.Account{Server: server})
	if err != nil {
		log.Fatal(err)
	}
	token, err := source.Token()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Type(), token.Valid())
	// Output: Bearer true
}

// A web application that acts for many users: it shows a link instead of
// opening a browser, and any replica over the same store takes the redirect.
func ExampleDriver_Redirected() {
	server, stop := protectedServer()
	defer stop()
	ctx := context.Background()

	const callback = "https://app.example/oauth/callback"
	store := storage.NewMemory() // shared by all replicas
	replica := func() *httpdriver.Driver {
		d, err := httpdriver.New(httpdriver.Options{Store: store, Host: httpdriver.Web(callback)})
		if err != nil {
			log.Fatal(err)
		}
		return d
	}
	one, two := replica(), replica()
	defer func() { _, _ = one.Close(), two.Close() }()

	alice := httpdriver.Account{Server: server, Tenant: "acme", Subject: "alice"}
	client, err := one.Client(alice)
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Get(server)
	var need *httpdriver.LoginRequiredError
	if !errors.As(err, &need) {
		log.Fatal(err)
	}
	fmt.Println("show alice the link to", need.URL[:len("http")]+"…")

	// Her browser comes back to the callback; here nobody had to click.
	redirect, err := follow(ctx, httpdriver.Visit{URL: need.URL})
	if err != nil {
		log.Fatal(err)
	}
	// The owner is whose session the redirect arrived in.
	account, err := two.Redirected(ctx, redirect, httpdriver.Owner{Tenant: "acme", Subject: "alice"})
	if err != nil {
		log.Fatal(err)
	}
	status, err := two.Status(ctx, account)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(account.Subject, "is logged in:", status.LoggedIn)
	// Output:
	// show alice the link to http…
	// alice is logged in: true
}
