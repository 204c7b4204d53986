package proving_test

import (
	"fmt"

	"github.com/stile-oauth/stile/fsm/audit/proving"
)

// An issuer whose metadata names another issuer.
func Example() {
	_, report, err := proving.Run(proving.Checks(), "asm-issuer-mismatch")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(report.Findings()) > 0)
	// Output: true
}
