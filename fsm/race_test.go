//go:build race

package fsm_test

// The package has no goroutine, so the race detector finds nothing here and
// makes these tests ten times as slow: with it only every twentieth forgery is
// tried, and every sixth step of the stories. All are without it, which is a part
// of `make test`, and more forgeries in `make soak`.
const everyForgery, everyStep = 20, 6
