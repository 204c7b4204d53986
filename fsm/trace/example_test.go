package trace_test

import (
	"fmt"
	"os"

	"github.com/stile-oauth/stile/fsm/trace"
)

// A trace is read, run again, and explained.
func Example() {
	file, err := os.ReadFile("../../testdata/traces/issuer-mismatch.ndjson")
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := trace.Parse(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	difference, err := trace.Replay(t)
	fmt.Println(difference.Same(), err)
	fmt.Println(trace.Explain(t).Outcome)
	// Output:
	// true <nil>
	// It failed at step 14, while reading the authorization response: the fault of the authorization server.
}
