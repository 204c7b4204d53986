//go:build soak

package httpdriver_test

import "testing"

// TestEveryFault is TestFaults with all faults of the peer.
func TestEveryFault(t *testing.T) { meetFaults(t, 1) }

// TestEveryWorstAnswer is TestWorstAnswers with all of them.
func TestEveryWorstAnswer(t *testing.T) { meetWorst(t, 1) }
