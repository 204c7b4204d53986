package workload_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/workload"
	"github.com/stile-oauth/stile/states"
)

// A service that runs in Kubernetes gets its tokens for the assertion that is projected
// into its file system.
func Example() {
	d, err := httpdriver.New(httpdriver.Options{
		Policy:   httpdriver.Policy{Grant: states.WorkloadGrant},
		Workload: workload.For(workload.File("/var/run/secrets/tokens/mcp")),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = d.Close() }()
}

// The platform replaces its file, and the next request has what is in it then.
func ExampleFile() {
	dir, err := os.MkdirTemp("", "workload")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "token")
	source := workload.File(path)
	for _, assertion := range []string{"first.assertion.x", "second.assertion.x"} {
		if err := os.WriteFile(path, []byte(assertion), 0o600); err != nil {
			log.Fatal(err)
		}
		got, err := source(context.Background(), []string{"https://as.example"})
		fmt.Println(got, err)
	}
	// Output:
	// first.assertion.x <nil>
	// second.assertion.x <nil>
}
