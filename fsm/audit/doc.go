// Package audit says what an MCP server, an authorization server or a client
// does wrong: on which bytes, and by which clause.
//
// An audit is the machine's idea turned outwards. A check is a pair of pure
// functions: a plan, which names the next request that it wants to see
// answered, and a judge, which reads the evidence. The caller does the sending:
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
// A recording (a trace, a HAR) is evidence that was collected by somebody else:
// it goes to Judge as it is.
//
// # Guarantees
//
//   - The same evidence gives the same report, byte for byte.
//   - Next asks for each probe once, and only for probes of the selected checks.
//   - What the evidence does not show is "could not run", never a finding.
//
// # Who should not use it
//
// A client that decides whether it may go on: the machine does that (package
// fsm). The checks are stricter than a client can afford to be.
package audit
