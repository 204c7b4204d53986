// Package script runs stories about the machine: a verb and its arguments go
// in, a text for people comes out. The texts under testdata/scripts are such
// stories; docs/scripts.md lists the verbs.
//
//	s := script.New()
//	fmt.Print(s.Do("config server=https://mcp.example/mcp", ""))
//	fmt.Print(s.Do("begin login", ""))
//
// Everything is made up and nothing happens: the store is a list in memory,
// the servers are those of package peer, the clock moves when the script says
// so, and chance is drawn from a fixed seed. The same script therefore prints
// the same text for ever. What opens something is printed as a placeholder
// such as ‹access-1›: the same secret has the same name throughout a script,
// and another one never has it.
//
// # Who should not use it
//
// A test of a host's own code: nothing of the host runs here. Package
// httpdriver/devas has servers for that.
package script
