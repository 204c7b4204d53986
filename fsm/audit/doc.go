// Package audit says what an MCP server, an authorization server or a client
// does wrong: which bytes show it, and which clause they break.
//
// An audit applies the idea of the machine to other programs. A check is a pair of
// pure functions: a plan, which names the next request that it needs an answer to,
// and a judge, which reads the evidence. The caller does the sending:
//
//	e := audit.Evidence{Target: "https://mcp.example/mcp", Source: audit.LiveServer}
//	checks := audit.Select(audit.Options{}) // passive checks only
//	for {
//		probe, more := audit.Next(&e, checks)
//		if !more {
//			break
//		}
//		e.Add(send(probe)) // the caller's part
//	}
//	report := audit.Judge(&e, checks)
//
// A recording (a trace, a HAR) is evidence that somebody else collected. It goes to
// Judge as it is.
//
// # Guarantees
//
//   - The same evidence gives the same report, byte for byte.
//   - Next asks for each probe once, and only for probes of the selected checks.
//   - If the evidence does not show the answer, the outcome is "could not run", never
//     a finding.
//
// # Who should not use it
//
// A client that has to decide whether it may go on: the machine does that (package
// fsm). The checks are stricter than a client can afford to be.
package audit
