package lines_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/lines"
)

// Each line is answered with one line.
func Example() {
	s := lines.NewSession()
	at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	line := `{"config":{"server":"https://mcp.example/mcp","redirects":["http://127.0.0.1/callback"]}}`
	answer := s.Line(at, []byte(line))
	fmt.Println(strings.Contains(string(answer), `"format":"stile-engine"`), strings.Contains(string(answer), `"error"`))
	// Output: true false
}
