//go:build !race

package main

// This package starts no goroutine; its tests run without the race detector.
