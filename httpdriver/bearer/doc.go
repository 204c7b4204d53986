// Package bearer protects an http.Handler with OAuth 2.1 bearer tokens as a
// resource server does it (OAuth 2.1 §5, RFC 6750, RFC 7662, RFC 8707, RFC 9068,
// RFC 9728; MCP authorization, "Token Handling").
//
//	guard, err := bearer.New(bearer.Config{
//		Policy:   bearer.Policy{Resource: "https://mcp.example/mcp", Issuers: []string{"https://as.example"}, Scopes: []string{"user"}},
//		Verifier: verifier, // NewIntrospection, NewJWT, or your own
//	})
//	guard.Mount(mux, handler)
//
// # Guarantees
//
//   - The token is read from the Authorization header only. A token in the query or the
//     body is ignored (OAuth 2.1 §5.1).
//   - Every request is judged, before the handler sees any of it, by Decide, a pure
//     function over what the verifier found: issuer, audience, expiry, scopes, in this
//     order. A missing value leads to a refusal unless the Policy says otherwise.
//   - 401 is for tokens, 403 for scopes, 400 for malformed requests, and 503, never 200
//     or 401, for a verifier that cannot tell (rs-introspect-down). 401 and 403 carry a
//     challenge with everything that a client needs and nothing from the request.
//   - The handler finds the Principal in the request's context. Package mcpsdk
//     shows it to the tools of the official Go SDK.
//
// # Who should not use it
//
// An authorization server, because this package checks tokens and issues none. A server
// behind a gateway that has already checked the token.
package bearer
