//go:build race

package trace

// The package has no goroutine, so the race detector finds nothing here and
// makes the search for secrets ten times as slow: with it, of the lives and
// of the beginnings of a trace only every eighth is tried. All
// beginnings are without it, which is a part of `make test`, and all lives in `make soak`.
const everyStory = 8
