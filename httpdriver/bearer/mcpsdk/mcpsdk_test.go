package mcpsdk_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/bearer/mcpsdk"
)

const resource = "https://mcp.example/mcp"

var expires = time.Now().Add(time.Hour).Truncate(time.Second)

func guard(t testing.TB) *bearer.Guard {
	t.Helper()
	g, err := bearer.New(bearer.Config{
		Policy: bearer.Policy{Resource: resource, Issuers: []string{"https://as.example"}},
		Verifier: bearer.VerifierFunc(func(context.Context, string) (bearer.Claims, error) {
			return bearer.Claims{
				Issuer: "https://as.example", Subject: "ann", ClientID: "c", Audience: []string{resource},
				Scopes: []string{"user"}, Expires: expires,
			}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The SDK's own function finds the user behind a Guard, and nobody where there
// is no Guard.
func TestTokenInfo(t *testing.T) {
	var info *auth.TokenInfo
	h := mcpsdk.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		info = auth.TokenInfoFromContext(r.Context())
		if _, ok := bearer.PrincipalFrom(r.Context()); ok != (info != nil) {
			t.Errorf("a principal is there: %v; TokenInfo: %v", ok, info)
		}
	}))
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/mcp", http.NoBody)
	h.ServeHTTP(httptest.NewRecorder(), r)
	if info != nil {
		t.Errorf("without a guard the user is %+v", info)
	}
	r.Header.Set("Authorization", "Bearer x")
	guard(t).Handler(h).ServeHTTP(httptest.NewRecorder(), r)
	if info == nil || info.UserID != "ann" || len(info.Scopes) != 1 || info.Scopes[0] != "user" ||
		!info.Expiration.Equal(expires) || info.Extra["client_id"] != "c" || info.Extra["iss"] != "https://as.example" {
		t.Errorf("TokenInfo = %+v", info)
	}
}

func ExampleHandler() {
	server := mcp.NewServer(&mcp.Implementation{Name: "notes", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami"}, func(_ context.Context, r *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, map[string]any, error) {
		return nil, map[string]any{"user": r.Extra.TokenInfo.UserID}, nil
	})
	tools := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)

	guard, err := bearer.New(bearer.Config{
		Policy:   bearer.Policy{Resource: "https://mcp.example/mcp", Issuers: []string{"https://as.example"}},
		Verifier: bearer.VerifierFunc(func(context.Context, string) (bearer.Claims, error) { return bearer.Claims{}, bearer.ErrInvalidToken }),
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	guard.Mount(mux, mcpsdk.Handler(tools))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), "POST", "/mcp", http.NoBody))
	fmt.Println(w.Code)
	// Output: 401
}
