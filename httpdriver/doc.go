// Package httpdriver runs the pure machine of package fsm over HTTP: it is the
// OAuth 2.1 client of an MCP host (MCP authorization 2026-07-28 and the three
// revisions before it).
//
//	d, err := httpdriver.New(httpdriver.Options{Store: store})
//	client, err := d.Client(httpdriver.Account{Server: "https://mcp.example/mcp"})
//	resp, err := client.Post(…) // discovers, registers, sends the human to a browser, retries
//
// One Driver serves any number of accounts at any number of servers.
//
// # Guarantees
//
//   - One login and one refresh at a time for an account, however many requests
//     meet the same refusal, in this process and, through the store, in others.
//   - A request with a valid token takes no lock: it costs one copy of the
//     request and of its header.
//   - Every exchange that the machine asks for passes the guard (package guard):
//     https, addresses judged when dialled, no redirected POST, bounded sizes.
//   - A token goes only to addresses inside the resource it was issued for.
//   - A refresh outlives the request that began it; a caller's context ends his
//     wait and nothing else. Close ends everything.
//   - Errors are of the four types of package fsm; errors, logs and observers
//     show no secret.
package httpdriver
