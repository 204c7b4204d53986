package lines_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/lines"
)

// One line is answered by one line.
func Example() {
	s := lines.NewSession()
	at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	answer := string(s.Line(at, []byte(`{"config":{"server":"https://mcp.example/mcp","redirects":["http://127.0.0.1/callback"]}}`)))
	fmt.Println(strings.Contains(answer, `"format":"stile-engine"`), strings.Contains(answer, `"error"`))
	// Output: true false
}
