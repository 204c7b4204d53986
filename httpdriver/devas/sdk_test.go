package devas_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// sdkClient is go-sdk's MCP client with go-sdk's own OAuth code: what logs in
// here is not our code.
func sdkClient(t *testing.T, s *site) *mcp.ClientSession {
	t.Helper()
	h, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName: "go-sdk", RedirectURIs: []string{back}, TokenEndpointAuthMethod: "none",
			GrantTypes: []string{"authorization_code", "refresh_token"},
		}},
		RedirectURL: back,
		AuthorizationCodeFetcher: func(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			q := s.do("GET", args.URL, "").location()
			if q.Get("error") != "" {
				return nil, fmt.Errorf("authorization: %s", q.Get("error"))
			}
			return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := c.Connect(context.Background(), &mcp.StreamableClientTransport{Endpoint: s.resource, OAuthHandler: h}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func callTool(t *testing.T, session *mcp.ClientSession, name string) string {
	t.Helper()
	r, err := session.CallTool(context.Background(), &mcp.CallToolParams{Name: name, Arguments: map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(r.StructuredContent)
	if err != nil || r.IsError {
		t.Fatalf("%s: %v %s", name, err, out)
	}
	return string(out)
}

func TestGoSDKLogsIn(t *testing.T) {
	s := newSite(t, nil)
	session := sdkClient(t, s)
	if out := callTool(t, session, "get_time"); !strings.Contains(out, `"zone":"UTC"`) {
		t.Errorf("get_time: %s", out)
	}
	// whoami needs one more scope: the client steps up.
	if out := callTool(t, session, "whoami"); !strings.Contains(out, `"demo_user"`) || !strings.Contains(out, "admin") {
		t.Errorf("whoami: %s", out)
	}
}

func TestGoSDKLogsInToLegacy(t *testing.T) {
	for _, none := range []bool{false, true} {
		ln := listen(t)
		c := devas.DefaultLegacy("http://" + ln.Addr().String())
		c.AS.AutoConsent, c.AS.NoMetadata = true, none
		l, err := devas.NewLegacy(c)
		if err != nil {
			t.Fatal(err)
		}
		serve(t, ln, l)
		s := &site{t: t, issuer: c.AS.Issuer, resource: c.AS.Issuer + "/mcp"}
		s.newBrowser()
		if out := callTool(t, sdkClient(t, s), "get_time"); !strings.Contains(out, `"zone":"UTC"`) {
			t.Errorf("get_time, metadata %v: %s", !none, out)
		}
	}
}
