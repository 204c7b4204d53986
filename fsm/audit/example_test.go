package audit_test

import (
	"fmt"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// The checks say what to ask next, the caller asks, and the checks judge. This server
// does no authorization at all, so there is nothing to judge.
func Example() {
	e := audit.Evidence{Target: "https://mcp.example/mcp", Source: audit.LiveServer}
	checks := audit.Select(audit.Options{})
	for {
		probe, more := audit.Next(&e, checks)
		if !more {
			break
		}
		e.Add(send(probe))
	}
	report := audit.Judge(&e, checks)
	fmt.Println(len(report.Findings()), "findings in", len(e.Exchanges), "exchanges")
	// Output:
	// 2 findings in 14 exchanges
}

// send asks a server that does not exist.
func send(p audit.Probe) audit.Exchange {
	return audit.Exchange{
		Probe: p.Label, Leg: p.Leg, Issuer: p.Issuer, Request: p.Request,
		Clock: time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC), Response: &wire.Response{Status: 404},
	}
}
