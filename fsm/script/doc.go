// Package script runs stories about the machine: a verb and its arguments go
// in, a text for people comes out. The texts under testdata/scripts are such
// stories; docs/scripts.md lists the verbs.
//
//	s := script.New()
//	fmt.Print(s.Do("config server=https://mcp.example/mcp", ""))
//	fmt.Print(s.Do("begin login", ""))
//
// # Guarantees
//
//   - A story does no input or output: the store is a list in memory, the servers are
//     those of package peer, the clock moves when the script says so, and randomness comes
//     from a fixed seed. The same script therefore always prints the same text.
//   - Secrets are printed as placeholders such as ‹access-1›: a secret has the same name
//     throughout a script, and no other secret has that name.
//
// # Who should not use it
//
// A test of a host's own code, because no code of the host runs here. Package
// httpdriver/devas has servers for such tests.
package script
