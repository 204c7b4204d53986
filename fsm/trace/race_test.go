//go:build race

package trace

// The package has no goroutine, so the race detector finds nothing here and
// makes the search for secrets ten times as slow: with it, of the lives with a
// fault of a peer only every eighth is searched. All are without it, which
// is a part of `make test`, and in `make soak`.
const everyStory = 8
