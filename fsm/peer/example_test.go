package peer_test

import (
	"fmt"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states/wire"
)

// An authorization server and a resource server answer requests that are values.
// The second token request meets a fault that was asked for, once.
func Example() {
	as, err := peer.NewAS(peer.ASConfig{
		Issuer: "https://as.example", DCR: true, AutoConsent: true, Faults: []string{"token-503-retry-after@1"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	rs, err := peer.NewRS(peer.RSConfig{Resource: "https://mcp.example/mcp", AuthorizationServers: []string{"https://as.example"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	world := peer.World{AS: []*peer.AS{as}, RS: []*peer.RS{rs}}
	at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)

	response, _ := world.Answer(at, wire.Request{Method: "POST", URL: "https://mcp.example/mcp"})
	fmt.Println(response.Status, response.Header.Header("WWW-Authenticate")[0])
	token := wire.Request{
		Method: "POST", URL: "https://as.example/token",
		Header: wire.Fields{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}},
		Form:   wire.Fields{{Name: "grant_type", Value: "refresh_token"}, {Name: "client_id", Value: "unknown"}},
	}
	for range 2 {
		response, why := as.Judge(at, token)
		fmt.Println(response.Status, why.Rule, why.Fault)
	}
	// Output:
	// 401 Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"
	// 503 as-token-client-auth token-503-retry-after
	// 401 as-token-client-auth
}
