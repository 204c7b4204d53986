package sqlbase

import "time"

// SweepEvery sets how often stores that are opened from now on are swept, until it is undone.
func SweepEvery(d time.Duration) (undo func()) {
	was := sweepEvery
	sweepEvery = d
	return func() { sweepEvery = was }
}
