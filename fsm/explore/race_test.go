//go:build race

package explore

// The package has no goroutine, so the race detector finds nothing here and
// makes the walks ten times as slow: with it they are shorter. The whole walks
// are made without it, and by the soak tests.
const shrink = 40
