//go:build !race

package draw

// This package starts no goroutine; its tests run without the race detector.
