package report_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/stile-oauth/stile/fsm/audit/proving"
	"github.com/stile-oauth/stile/httpdriver/auditor/report"
)

func Example() {
	evidence, r, err := proving.Run(proving.Checks())
	if err != nil {
		log.Fatal(err)
	}
	var page bytes.Buffer
	err = report.HTML(&page, r, &evidence)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Summary(r))
}
