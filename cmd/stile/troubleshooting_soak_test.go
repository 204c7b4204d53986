//go:build soak

package main

import "testing"

// TestEveryFaultIsExplained is TestFaultsAreExplained with all faults of the peer.
func TestEveryFaultIsExplained(t *testing.T) { explainFaults(t, 1) }
