//go:build soak && unix

package soak_test

import (
	"fmt"
	"testing"
	"time"
)

// These tests wait for processes that stand still most of the time.
func init() { atOnce = "5" }

func TestStampedeLong(t *testing.T) {
	for _, kind := range append(append([]string{}, files...), servers...) {
		t.Run(kind, func(t *testing.T) { herd{processes: 8, goroutines: 50, rounds: 10}.run(t, kind) })
		t.Run(kind+", skewed clocks", func(t *testing.T) {
			herd{processes: 8, goroutines: 50, rounds: 10, skew: true}.run(t, kind)
		})
		t.Run(kind+", skewed clocks, brief lives", func(t *testing.T) {
			herd{processes: 8, goroutines: 50, rounds: 10, skew: true, brief: true}.run(t, kind)
		})
		t.Run(kind+", no expiry, refused", func(t *testing.T) {
			herd{processes: 8, goroutines: 50, rounds: 10, refused: true}.run(t, kind)
		})
	}
}

func TestStoppedLong(t *testing.T) {
	t.Parallel()
	for _, kind := range append(append([]string{}, files...), servers...) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			stops(t, kind, func(int) bool { return true }, 100)
		})
	}
}

func TestKilledLong(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"file", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			killAtRandom(t, kind, 200)
		})
	}
}

func TestKilledAtPointsLong(t *testing.T) {
	t.Parallel()
	for _, kind := range append(append([]string{}, files...), servers...) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			killAtPoints(t, kind, func(int) bool { return true })
		})
	}
}

func TestStoppedAnywhereLong(t *testing.T) {
	t.Parallel()
	for _, kind := range append(append([]string{}, files...), servers...) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			stopAnywhere(t, kind, 25)
		})
	}
}

func TestCrowdLong(t *testing.T) { throng(t, 5000, 4) }

// TestStormLong: 5,000 accounts at an issuer whose 50 workers need 200 ms for each, and
// 20,000 at one whose workers need 100 ms. In both cases that is more than the time limit
// of an exchange.
func TestStormLong(t *testing.T) {
	storms := make(chan struct{}, 2) // more at once would wait for the processor, not for their issuers
	for accounts, each := range map[int]time.Duration{5_000: 200 * time.Millisecond, 20_000: 100 * time.Millisecond} {
		for _, drops := range []bool{true, false} {
			for _, conns := range []int{0, 50} {
				t.Run(fmt.Sprintf("%d accounts, drops %t, %d connections", accounts, drops, conns), func(t *testing.T) {
					t.Parallel()
					storms <- struct{}{}
					defer func() { <-storms }()
					storm{accounts: accounts, each: each, drops: drops, conns: conns}.run(t)
				})
			}
		}
	}
}
