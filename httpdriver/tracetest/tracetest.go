// Package tracetest makes a recorded trace a test of the program that recorded it.
//
//	func TestLogins(t *testing.T) {
//		tracetest.Replay(t, "../../testdata/traces/*.ndjson")
//	}
//
// A trace is what httpdriver.Options.Trace or stile --trace wrote. It holds no secret, so it
// can be committed: the test fails when a release of Stile, or a change of the host's
// configuration that the trace began with, would do something else.
//
// # Guarantees
//
//   - A pattern that matches no file fails the test.
//
// # Who should not use it
//
// A test of a host's own HTTP, which needs servers. Package httpdriver/devas has them.
package tracetest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/states"
)

// Replay runs each trace that matches a pattern (package filepath) through the machine of
// this release, as a subtest, which fails if the bytes differ.
func Replay(t *testing.T, pattern string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no trace is named %s: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			d, err := trace.Replay(read(t, file))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if !d.Same() {
				t.Errorf("%s: %s", file, d)
			}
		})
	}
}

// Visits fails unless the machine of a trace goes through these states, in this order;
// others may lie between them.
func Visits(t testing.TB, file string, want ...states.State) {
	t.Helper()
	var went []states.State
	for _, s := range read(t, file).Steps {
		went = append(went, s.From)
		if len(want) > 0 && s.From == want[0] {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		t.Errorf("%s: the machine does not come to %s; it went through %v", file, want[0], went)
	}
}

func read(t testing.TB, file string) *trace.Trace {
	t.Helper()
	b, err := os.ReadFile(file) //nolint:gosec // what the test names
	if err != nil {
		t.Fatal(err)
	}
	tr, err := trace.Parse(b)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return tr
}
