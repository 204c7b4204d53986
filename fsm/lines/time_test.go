package lines

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestAppendTime compares the hand-written form of a time with the library's.
func TestAppendTime(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	times := []time.Time{
		time.Unix(0, 0), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(0, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(-1, 2, 3, 4, 5, 6, 7, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2024, 2, 29, 12, 0, 0, 100, time.FixedZone("x", -3600)),
	}
	for range 5000 {
		ns := r.Int64N(1_000_000_000)
		for range r.IntN(9) {
			ns -= ns % 10
			ns /= 10
		}
		times = append(times, time.Unix(r.Int64N(1<<38), ns))
	}
	for _, at := range times {
		at = at.UTC()
		if got, want := string(appendTime(nil, at)), at.Format(time.RFC3339Nano); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
