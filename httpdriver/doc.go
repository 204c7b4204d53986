// Package httpdriver is the OAuth 2.1 client of an MCP host over HTTP (MCP
// authorization 2026-07-28 and the three revisions before it). It runs the pure
// machine of package fsm.
//
//	store, notice, err := keyringstore.OpenDefault(ctx, keyringstore.Options{})
//	d, err := httpdriver.New(httpdriver.Options{Store: store})
//	client, err := d.Client(httpdriver.Account{Server: "https://mcp.example/mcp"})
//	resp, err := client.Do(req) // discovers, registers, opens a browser, sends the request again
//
// One Driver serves any number of accounts at any number of servers.
//
// # Guarantees
//
//   - One login and one refresh at a time for an account, however many requests
//     meet the same refusal, in this process and, through the store, in others. A
//     login that a user asks for (Driver.Login) does not wait for another process.
//   - A request with a valid token takes no lock: it costs one copy of the
//     request and of its header. Its body is sent as it comes.
//   - Every exchange passes the guard (package guard): https, addresses checked when
//     they are dialled, no redirected POST, bounded sizes and times.
//   - A token goes only to addresses inside the resource it was issued for. That holds
//     for Client and Transport; an x/oauth2 transport over a TokenSource does not know
//     the resource.
//   - A refresh outlives the request that began it; a caller's context ends their
//     wait and nothing else. Close ends everything.
//   - Refreshes at one token endpoint are bounded, and wait before an intent is stored
//     or anything is sent. What a login does without its user takes a minute at most.
//   - A function of the host that panics takes no login and no lock with it.
//   - Errors are of the four types of package fsm; errors, logs and observers
//     show no secret.
//
// # Who should not use it
//
// A client on a transport that is not HTTP uses package fsm, and carries the requests
// out itself. A program that only checks tokens uses package bearer. A program that is
// its own user (client credentials) needs no browser and no Host.
package httpdriver
