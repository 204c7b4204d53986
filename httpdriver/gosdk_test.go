package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// The shape of the go-sdk's interface, which the driver does not import.
var _ auth.OAuthHandler = (*httpdriver.Handler)(nil)

// tools is an MCP server with a tool for everybody and one that needs the
// scope admin; what protects it stands before it.
func tools() http.Handler {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	for _, name := range []string{"greet", "admin"} {
		mcp.AddTool(s, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "hello from " + name}}}, nil, nil
		})
	}
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
}

// protectedBySDK is that server behind the go-sdk's own middleware.
func protectedBySDK(w *world) http.Handler {
	origin := strings.TrimSuffix(w.Server, "/mcp")
	verify := func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		in := w.AS.Introspect(w.Clock.Now(), token)
		if !in.Active {
			return nil, auth.ErrInvalidToken
		}
		return &auth.TokenInfo{Scopes: in.Scopes, Expiration: in.Expires, UserID: in.Subject}, nil
	}
	options := auth.RequireBearerTokenOptions{ResourceMetadataURL: origin + "/.well-known/oauth-protected-resource/mcp", Scopes: []string{"user"}}
	more := options
	more.Scopes = []string{"user", "admin"}
	inner := tools()
	usual, special := auth.RequireBearerToken(verify, &options)(inner), auth.RequireBearerToken(verify, &more)(inner)
	mux := http.NewServeMux()
	mux.Handle("/.well-known/oauth-protected-resource/mcp", auth.ProtectedResourceMetadataHandler(&oauthex.ProtectedResourceMetadata{
		Resource: w.Server, AuthorizationServers: []string{w.ASURL}, ScopesSupported: []string{"user"},
	}))
	mux.HandleFunc("/mcp", func(rw http.ResponseWriter, r *http.Request) {
		if b := bodyOf(r); strings.Contains(b, `"tools/call"`) && strings.Contains(b, `"admin"`) {
			special.ServeHTTP(rw, r)
			return
		}
		usual.ServeHTTP(rw, r)
	})
	return mux
}

// TestGoSDK runs the go-sdk's streamable client through the driver, by its
// OAuthHandler and by an *http.Client, against go-sdk servers that its own
// middleware and package bearer protect; tokens expire, are revoked and fall
// short in the middle of the session.
func TestGoSDK(t *testing.T) {
	worlds := map[string]func(t *testing.T) *world{
		"bearer": func(t *testing.T) *world {
			return newWorld(t, func(s setup) { s.RS.MCP = tools() })
		},
		"RequireBearerToken": func(t *testing.T) *world {
			w := newWorld(t)
			ready, origin := w.listen("sdk")
			w.Server = origin + "/mcp"
			ready(protectedBySDK(w))
			return w
		},
	}
	transports := map[string]func(t *testing.T, w *world, d *httpdriver.Driver) *mcp.StreamableClientTransport{
		"Handler": func(t *testing.T, w *world, d *httpdriver.Driver) *mcp.StreamableClientTransport {
			h, err := d.Handler(w.account())
			if err != nil {
				t.Fatal(err)
			}
			own := &http.Transport{}
			t.Cleanup(own.CloseIdleConnections)
			return &mcp.StreamableClientTransport{Endpoint: w.Server, OAuthHandler: h, HTTPClient: &http.Client{Transport: own}}
		},
		"Client": func(t *testing.T, w *world, d *httpdriver.Driver) *mcp.StreamableClientTransport {
			return &mcp.StreamableClientTransport{Endpoint: w.Server, HTTPClient: w.client(t, d)}
		},
	}
	for protection, make := range worlds {
		for way, transport := range transports {
			t.Run(protection+"/"+way, func(t *testing.T) {
				w := make(t)
				d := w.driver(t)
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "1"}, nil)
				session, err := client.Connect(ctx, transport(t, w, d), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = session.Close() }()
				list, err := session.ListTools(ctx, nil)
				if err != nil || len(list.Tools) != 2 {
					t.Fatal(list, err)
				}
				call := func(tool string) {
					t.Helper()
					r, err := session.CallTool(ctx, &mcp.CallToolParams{Name: tool})
					if err != nil {
						t.Fatalf("%s: %v", tool, err)
					}
					if c, ok := r.Content[0].(*mcp.TextContent); !ok || c.Text != "hello from "+tool {
						t.Errorf("%v", r.Content[0])
					}
				}
				call("greet")
				if r, a := w.Tap.grants("refresh_token"), w.Tap.grants("authorization_code"); r != 0 || a != 1 {
					t.Errorf("to begin with: %d refreshes, %d logins", r, a)
				}

				w.Clock.forward(2 * time.Hour)
				call("greet")
				if n := w.Tap.grants("refresh_token"); n != 1 {
					t.Errorf("after the expiry: %d refreshes", n)
				}

				tok, err := d.Token(ctx, w.account())
				if err != nil {
					t.Fatal(err)
				}
				w.revoke(t, tok.AccessToken)
				call("greet")
				if n := w.Tap.grants("refresh_token"); n != 2 {
					t.Errorf("after the revocation: %d refreshes", n)
				}

				call("admin")
				call("admin")
				call("greet")
				if r, a := w.Tap.grants("refresh_token"), w.Tap.grants("authorization_code"); r != 2 || a != 2 {
					t.Errorf("after the step-up: %d refreshes, %d logins", r, a)
				}
				if n := w.Tap.count("as", "/register"); n != 1 {
					t.Errorf("%d registrations", n)
				}
			})
		}
	}
}

// TestHandler: what the go-sdk's transport gets to see at the edges.
func TestHandler(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	h, err := d.Handler(w.account())
	if err != nil {
		t.Fatal(err)
	}
	if ts, err := h.TokenSource(t.Context()); ts != nil || err != nil {
		t.Errorf("before the login: %v %v", ts, err)
	}
	w.exactly(t, 0)
	plain := &http.Response{StatusCode: 403, Status: "403 Forbidden", Header: http.Header{}, Body: http.NoBody}
	req, _ := http.NewRequest(http.MethodPost, w.Server, nil)
	for _, challenge := range []string{"", `Bearer realm="mcp"`} {
		plain.Header.Set("WWW-Authenticate", challenge)
		if err := h.Authorize(t.Context(), req, plain); !errors.Is(err, httpdriver.ErrNotChallenged) {
			t.Errorf("a 403 with the challenge %q: %v", challenge, err)
		}
	}
	closed := &body{Reader: strings.NewReader("refused")}
	refused := &http.Response{StatusCode: 401, Header: http.Header{}, Body: closed}
	refused.Header.Set("WWW-Authenticate", `Bearer resource_metadata="`+bearer.MetadataURL(w.Server)+`"`)
	if err := h.Authorize(t.Context(), req, refused); err != nil {
		t.Fatal(err)
	}
	if closed.closed == 0 {
		t.Error("the body was not closed")
	}
	ts, err := h.TokenSource(t.Context())
	if err != nil || ts == nil {
		t.Fatal(ts, err)
	}
	tok, err := ts.Token()
	if err != nil || !tok.Valid() {
		t.Fatal(tok, err)
	}
	// A late refusal of no token at all starts nothing.
	w.Tap.reset()
	refused.Body = http.NoBody
	if err := h.Authorize(t.Context(), req, refused); err != nil {
		t.Error(err)
	}
	w.exactly(t, 0)
}

// TestTokenSource: x/oauth2's interface logs in, keeps and refreshes.
func TestTokenSource(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	if _, err := d.Token(t.Context(), w.account()); !errors.Is(err, httpdriver.ErrNoToken) {
		t.Errorf("%v", err)
	}
	ts, err := d.LoginTokenSource(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	if quiet, err := d.TokenSource(t.Context(), w.account()); err != nil {
		t.Error(err)
	} else if _, err := quiet.Token(); !errors.Is(err, httpdriver.ErrNoToken) {
		t.Errorf("%v", err)
	}
	if _, err := d.TokenSource(t.Context(), httpdriver.Account{Server: "no address"}); !errors.Is(err, fsm.ErrConfig) {
		t.Errorf("%v", err)
	}
	one, err := ts.Token()
	if err != nil || one.Type() != "Bearer" || !one.Expiry.After(w.Clock.Now()) || one.RefreshToken != "" {
		t.Fatalf("%v %v", one, err)
	}
	two, err := ts.Token()
	if err != nil || two.AccessToken != one.AccessToken {
		t.Errorf("the second is another one: %v", err)
	}
	w.Clock.forward(2 * time.Hour)
	three, err := ts.Token()
	if err != nil || three.AccessToken == one.AccessToken {
		t.Errorf("not refreshed: %v", err)
	}
	if n := w.Tap.grants("refresh_token"); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}
