package tracetest_test

import (
	"testing"

	"github.com/stile-oauth/stile/httpdriver/tracetest"
)

func TestLogins(t *testing.T) {
	tracetest.Replay(t, "../../testdata/traces/*.ndjson")
}
