//go:build race

package explore

// The package has no goroutine, so the race detector finds nothing here and
// makes the walks ten times as slow: with it they are shorter. `make soak`
// makes the whole walks without it, where every mutant must die.
const shrink = 100
