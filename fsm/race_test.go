//go:build race

package fsm_test

// The package has no goroutine, so the race detector finds nothing here and
// makes forging ten times as slow: with it only every eighth forgery is tried.
// All are without it, which is a part of `make test`, and more in `make soak`.
const everyForgery = 8
