// Package devas serves the pure peers of fsm/peer over HTTP: an OAuth 2.1
// authorization server (RFC 6749, RFC 7591, RFC 7636, RFC 7662, RFC 8414,
// RFC 8707, RFC 9207), a protected MCP server (RFC 9728), and an MCP
// 2025-03-26 server that is both at one origin.
//
// It is for DEVELOPMENT AND TESTS, and says so in its log and on its pages. It
// has a user with a published password, keeps its keys in memory and can be
// told to break rules on purpose.
//
//	ln, err := devas.Listen("127.0.0.1:0")
//	issuer := "http://" + ln.Addr().String()
//	as, err := devas.NewAS(devas.DefaultAS(issuer))
//	go func() { done <- devas.Serve(ctx, ln, as) }()
//
// # Guarantees
//
//   - It binds loopback addresses only, and answers only requests whose Host
//     is its own or a loopback name (DNS rebinding). The resource server also
//     checks Origin.
//   - Pages have no third-party content, cannot be framed, are not cached, and
//     escape all untrusted text; forms are bound to the browser that opened
//     them.
//   - Requests, bodies, registrations, logins and waiting states are bounded.
//   - The state file, if any, holds hashes of what was issued, and is 0600.
//
// # Who should not use it
//
// Anybody who has users: it is no authorization server for production.
package devas
