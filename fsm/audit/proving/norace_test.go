//go:build !race

package proving

// This package starts no goroutine; its tests run without the race detector.
