//go:build soak

package trace

import "testing"

// TestCanaryWhole is TestCanary with every story.
func TestCanaryWhole(t *testing.T) {
	for _, s := range stories {
		canary(t, s)
	}
}
