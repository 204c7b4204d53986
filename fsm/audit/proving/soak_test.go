//go:build soak

package proving

import (
	"testing"

	"github.com/stile-oauth/stile/fsm/peer"
)

// TestEveryFault is TestFaults with all faults of the peer.
func TestEveryFault(t *testing.T) { found(t, peer.Faults()) }
