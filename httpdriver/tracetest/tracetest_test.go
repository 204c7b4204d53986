package tracetest_test

import (
	"testing"

	"github.com/stile-oauth/stile/httpdriver/tracetest"
	"github.com/stile-oauth/stile/states"
)

const traces = "../../testdata/traces/"

func TestVisits(t *testing.T) {
	tracetest.Visits(t, traces+"cold-login.ndjson", states.DiscoveringPRM, states.Exchanging)
	failing := &recorder{TB: t}
	tracetest.Visits(failing, traces+"cold-login.ndjson", states.Exchanging, states.DiscoveringPRM)
	if !failing.failed {
		t.Error("states in another order were taken")
	}
}

// recorder is a test that notes its failure instead of failing.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }
