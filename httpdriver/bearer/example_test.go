package bearer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// A server that accepts the tokens of one authorization server, which it asks
// about each.
func Example() {
	as := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("token") != "a-good-token" {
			_, _ = io.WriteString(w, `{"active":false}`)
			return
		}
		_, _ = io.WriteString(w, `{"active":true,"iss":"https://as.example","aud":"https://mcp.example/mcp","sub":"ann","scope":"user","exp":99999999999}`)
	}))
	defer as.Close()

	verifier, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: as.URL, ClientID: "mcp-server", ClientSecret: "secret"})
	if err != nil {
		panic(err)
	}
	guard, err := bearer.New(bearer.Config{
		Policy:   bearer.Policy{Resource: "https://mcp.example/mcp", Issuers: []string{"https://as.example"}, Scopes: []string{"user"}},
		Verifier: verifier,
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := bearer.PrincipalFrom(r.Context())
		fmt.Fprintf(w, "hello, %s", p.UserID)
	})
	guard.Mount(mux, handler)

	for _, authorization := range []string{"", "Bearer a-good-token", "Bearer another"} {
		r := httptest.NewRequestWithContext(context.Background(), "POST", "https://mcp.example/mcp", http.NoBody)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code == 200 {
			fmt.Println(w.Code, w.Body)
		} else {
			fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}
	// Output:
	// 401 Bearer scope="user", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"
	// 200 hello, ann
	// 401 Bearer error="invalid_token", error_description="the token is not valid", scope="user", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"
}
