//go:build soak && unix

package soak_test

import (
	"testing"
)

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
	for _, kind := range append(append([]string{}, files...), servers...) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			stops(t, kind, func(int) bool { return true }, 100)
		})
	}
}

func TestKilledLong(t *testing.T) {
	for _, kind := range []string{"file", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			killAtRandom(t, kind, 200)
		})
	}
}

func TestKilledAtPointsLong(t *testing.T) {
	for _, kind := range append(append([]string{}, files...), servers...) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			killAtPoints(t, kind, func(int) bool { return true })
		})
	}
}

func TestStoppedAnywhereLong(t *testing.T) {
	for _, kind := range append(append([]string{}, files...), servers...) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			stopAnywhere(t, kind, 25)
		})
	}
}
