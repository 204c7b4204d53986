// Package peer is an OAuth 2.1 authorization server (RFC 6749, RFC 7591,
// RFC 7636, RFC 7662, RFC 8414, RFC 8707, RFC 9207) and an MCP resource server
// (RFC 9728, RFC 6750) as values: a request and a time go in, a response comes
// out, and no byte is ever sent.
//
//	as, err := peer.NewAS(peer.ASConfig{
//		Issuer: "https://as.example", DCR: true, AutoConsent: true, Faults: []string{"token-503-retry-after@1"},
//	})
//	rs, err := peer.NewRS(peer.RSConfig{Resource: "https://mcp.example/mcp", AuthorizationServers: []string{"https://as.example"}})
//	world := peer.World{AS: []*peer.AS{as}, RS: []*peer.RS{rs}}
//	response, _ := world.Answer(at, wire.Request{Method: "POST", URL: "https://mcp.example/mcp"})
//
// # Guarantees
//
//   - The same configuration, seed, times and requests give the same responses.
//     Time is an argument, chance is drawn from the seed, signing is injected.
//   - Clone forks a server; Snapshot and Restore carry one over a restart.
//     Neither holds a token, a code or a secret that was issued, only hashes.
//   - A server is well behaved unless told otherwise: Faults lists, by name, every
//     way in which it can be made to break a rule, and which rule that is. A name
//     followed by @N acts N times and then no more.
//
// It is meant for development, tests and exploration.
//
// # Who should not use it
//
// A test that sends HTTP: package httpdriver/devas serves these peers. Nothing here
// is an authorization server for production.
package peer
