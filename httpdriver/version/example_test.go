package version_test

import (
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/httpdriver/version"
)

func Example() {
	agent := version.Get().UserAgent()
	fmt.Println(strings.HasPrefix(agent, "stile/"))
	// Output: true
}
