// Package bridge relays MCP between a host that speaks stdio and a server that
// speaks HTTP, message for message.
//
//	err = bridge.Run(ctx, bridge.Options{Server: url, Client: client})
//
// The host's `initialize` is answered at once, from what the server said the last
// time (Options.Memory) or with everything that a server may have; meanwhile the
// server is connected. The two sides may speak different eras: up to MCP 2025-11-25
// a session begins with `initialize`, from 2026-07-28 every request carries what the
// session used to hold. One `server/discover` decides the era of the server, and the
// host's first message that of the host; what only one side has is translated.
// Everything else passes as it is, under new request ids.
//
// # Guarantees
//
//   - A request is sent again only where the server cannot have carried it out: the
//     HTTP client refused it for want of a login, the session was unknown to the
//     server, or the request only reads.
//   - A request waits for a login that is due for Options.LoginWait at most, and then
//     ends with a JSON-RPC error that names the address.
//   - Run ends when the host closes its side, and cancels what is under way then.
//
// # Who should not use it
//
// A program that speaks HTTP itself gives httpdriver's client to its own MCP client.
package bridge
