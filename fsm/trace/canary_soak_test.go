//go:build soak

package trace

import "testing"

// TestCanaryWhole searches every life, whatever TestCanary leaves out under the
// race detector.
func TestCanaryWhole(t *testing.T) {
	for _, s := range stories {
		canary(t, s)
	}
}
