package trap_test

import (
	"context"
	"log"
	"os"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor/report"
	"github.com/stile-oauth/stile/httpdriver/auditor/trap"
)

// A client is run before every trap.
func Example() {
	ctx := context.Background()
	all, err := trap.Run(ctx, audit.SelectTraps(nil), trap.Options{Command: []string{"my-client", "{url}"}})
	if err != nil {
		log.Fatal(err)
	}
	r := audit.JudgeClient(all)
	if err := report.Text(os.Stdout, r, report.Style{}); err != nil {
		log.Fatal(err)
	}
}
