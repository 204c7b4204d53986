package auditor_test

import (
	"context"
	"log"
	"os"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/auditor/report"
	"github.com/stile-oauth/stile/httpdriver/guard"
)

// The passive checks, on a server that may be asked.
func Example() {
	ctx := context.Background()
	g, err := guard.New(guard.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer g.CloseIdleConnections()
	checks := audit.Select(audit.Options{})
	evidence, err := auditor.Run(ctx, "https://mcp.example/mcp", checks, auditor.Options{Guard: g})
	if err != nil {
		log.Fatal(err)
	}
	r := audit.Judge(&evidence, checks)
	if err := report.Text(os.Stdout, r, report.Style{}); err != nil {
		log.Fatal(err)
	}
}
