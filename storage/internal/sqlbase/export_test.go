package sqlbase

import "time"

// SweepEvery sets how often stores are swept that are opened until it is undone.
func SweepEvery(d time.Duration) (undo func()) {
	was := sweepEvery
	sweepEvery = d
	return func() { sweepEvery = was }
}
