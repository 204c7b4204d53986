// Package replay is a host's own regression test: a login that was recorded once
// (httpdriver.Options.Trace, or stile login --trace FILE) is replayed through the machine
// of the release that the host builds with. A trace holds no secret.
//
//	go test ./replay
package replay

import (
	"testing"

	"github.com/stile-oauth/stile/httpdriver/tracetest"
	"github.com/stile-oauth/stile/states"
)

func TestLogins(t *testing.T) {
	tracetest.Replay(t, "testdata/*.ndjson")
	tracetest.Visits(t, "testdata/cold.ndjson", states.DiscoveringPRM, states.Exchanging)
}
