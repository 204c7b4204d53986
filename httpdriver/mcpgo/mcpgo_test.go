package mcpgo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/mcpgo"
)

// world is an authorization server that consents by itself, and mcp-go's server with a tool
// that needs more scope. sse serves HTTP+SSE.
func world(t *testing.T, sse bool) (resource string) {
	t.Helper()
	as, rs := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	issuer, origin := "http://"+as.Listener.Addr().String(), "http://"+rs.Listener.Addr().String()
	c := devas.DefaultAS(issuer)
	c.AutoConsent, c.Scopes, c.DefaultScopes = true, []string{"user", "notes"}, []string{"user"}
	a, err := devas.NewAS(c)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := bearer.New(bearer.Config{
		Policy:   bearer.Policy{Resource: origin, Issuers: []string{issuer}, Scopes: []string{"user"}},
		Verifier: a.Verifier(),
		Tools:    []bearer.ToolScopes{{Tool: "add", Scopes: []string{"notes"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := server.NewMCPServer("remote", "1")
	for _, tool := range []string{"echo", "add"} {
		s.AddTool(mcp.NewTool(tool), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("done"), nil
		})
	}
	var h http.Handler = server.NewStreamableHTTPServer(s)
	if sse {
		h = server.NewSSEServer(s, server.WithBaseURL(origin))
	}
	mux := http.NewServeMux()
	guard.Mount(mux, h)
	as.Config.Handler, rs.Config.Handler = a, mux
	as.Start()
	rs.Start()
	t.Cleanup(func() { rs.CloseClientConnections(); rs.Close(); as.Close() })
	return origin
}

// visit is a user's browser.
func visit(ctx context.Context, v httpdriver.Visit) (string, error) {
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.Header.Get("Location"), nil
}

func driver(t *testing.T, h httpdriver.Host) *httpdriver.Driver {
	t.Helper()
	d, err := httpdriver.New(httpdriver.Options{Host: h})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// connect starts a client of mcp-go over the driver's HTTP client.
func connect(t *testing.T, d *httpdriver.Driver, url string, sse bool) (*client.Client, error) {
	t.Helper()
	hc, err := d.Client(httpdriver.Account{Server: url})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewStreamableHttpClient(url, transport.WithHTTPBasicClient(hc))
	if sse {
		c, err = client.NewSSEMCPClient(url+"/sse", transport.WithHTTPClient(hc))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Start(t.Context()); err != nil {
		return c, err
	}
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	hello.Params.ClientInfo = mcp.Implementation{Name: "host", Version: "1"}
	_, err = c.Initialize(t.Context(), hello)
	return c, err
}

// A client of mcp-go logs in, calls a tool, steps up, by either transport.
func TestClient(t *testing.T) {
	for name, sse := range map[string]bool{"streamable": false, "sse": true} {
		t.Run(name, func(t *testing.T) {
			url := world(t, sse)
			c, err := connect(t, driver(t, httpdriver.UserAgent(visit)), url, sse)
			if err != nil {
				t.Fatal(err)
			}
			for _, tool := range []string{"echo", "add"} {
				var call mcp.CallToolRequest
				call.Params.Name = tool
				if r, err := c.CallTool(t.Context(), call); err != nil || r.IsError {
					t.Errorf("%s: %+v %v", tool, r, err)
				}
			}
		})
	}
}

// Where the user has to be shown a link, mcp-go's error holds it; and a host that looks for
// mcp-go's own error finds that.
func TestLink(t *testing.T) {
	url := world(t, false)
	d := driver(t, httpdriver.Web("https://host.example/callback"))
	a := httpdriver.Account{Server: url}
	_, err := connect(t, d, url, false)
	link, ok := mcpgo.Link(err)
	if !ok || link.URL == "" {
		t.Fatalf("no link in %v", err)
	}
	both := mcpgo.RequiredError(d, a, err)
	if !client.IsOAuthAuthorizationRequiredError(both) {
		t.Errorf("mcp-go does not know %v", both)
	}
	if again, ok := mcpgo.Link(both); !ok || again != link {
		t.Error("the link is lost")
	}
	other := errors.New("other")
	if mcpgo.RequiredError(d, a, other) != other { //nolint:errorlint // the very same
		t.Error("another error was changed")
	}
}

// mcp-go's OAuth gets the access token and nothing to refresh it with, and stores none.
func TestTokenStore(t *testing.T) {
	url := world(t, false)
	d := driver(t, httpdriver.UserAgent(visit))
	a := httpdriver.Account{Server: url}
	s := mcpgo.TokenStore(d, a)
	if _, err := s.GetToken(t.Context()); !errors.Is(err, transport.ErrNoToken) {
		t.Errorf("without a login: %v", err)
	}
	if err := d.Login(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	tok, err := s.GetToken(t.Context())
	if err != nil || tok.AccessToken == "" || tok.RefreshToken != "" || tok.ExpiresAt.IsZero() {
		t.Errorf("%v", err)
	}
	c, err := client.NewOAuthStreamableHttpClient(url, transport.OAuthConfig{TokenStore: s})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Initialize(t.Context(), hello); err != nil {
		t.Errorf("mcp-go's own OAuth over the driver's token: %v", err)
	}
	if err := s.SaveToken(t.Context(), tok); !errors.Is(err, mcpgo.ErrReadOnly) {
		t.Errorf("a token was saved: %v", err)
	}
}
