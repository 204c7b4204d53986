package mcpsdk_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/bearer/mcpsdk"
)

// A server in front of which a Guard judges the tokens. Here a function of the server
// stands for a tool of the SDK: it finds the user in the same place.
func Example() {
	guard, err := bearer.New(bearer.Config{
		Policy: bearer.Policy{Resource: "https://mcp.example/mcp", Issuers: []string{"https://as.example"}},
		Verifier: bearer.VerifierFunc(func(context.Context, string) (bearer.Claims, error) {
			return bearer.Claims{
				Issuer: "https://as.example", Subject: "ann", ClientID: "the-client",
				Audience: []string{"https://mcp.example/mcp"}, Expires: time.Now().Add(time.Hour),
			}, nil
		}),
	})
	if err != nil {
		panic(err)
	}
	tool := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		info := auth.TokenInfoFromContext(r.Context())
		fmt.Println(info.UserID, info.Extra["client_id"])
	})
	mux := http.NewServeMux()
	guard.Mount(mux, mcpsdk.Handler(tool))

	r := httptest.NewRequest("POST", "https://mcp.example/mcp", http.NoBody)
	r.Header.Set("Authorization", "Bearer a-good-token")
	mux.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// ann the-client
}
