package backend_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stile-oauth/stile/storage/internal/backend"
)

// What is set, moved and removed in any order expires as in a plain list, the
// earliest first.
func TestExpiries(t *testing.T) {
	var e backend.Expiries[int]
	plain := map[int]time.Time{}
	r := rand.New(rand.NewPCG(1, 2))
	at := func() time.Time { return time.Unix(1+r.Int64N(1000), 0) }
	for range 5000 {
		k := r.IntN(50)
		switch r.IntN(4) {
		case 0:
			e.Set(k, time.Time{})
			delete(plain, k)
		case 1:
			now := at()
			if now.Unix() > 300 {
				continue
			}
			got, ok := e.Expired(now)
			first := time.Time{}
			for _, end := range plain {
				if !end.After(now) && (first.IsZero() || end.Before(first)) {
					first = end
				}
			}
			if ok == first.IsZero() || ok && !plain[got].Equal(first) {
				t.Fatalf("at %v: %d, %v; the earliest ends at %v", now, got, ok, first)
			}
			if ok {
				delete(plain, got)
			}
		default:
			end := at()
			e.Set(k, end)
			plain[k] = end
		}
	}
}

// An expiry becomes a number and back. The epoch is a time like any other, and the zero
// time stays zero.
func TestExpiryAsNumber(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		ms   int64
		back time.Time
	}{
		{time.Time{}, 0, time.Time{}},
		{time.UnixMilli(0), -1, time.UnixMilli(-1)},
		{time.UnixMilli(-5), -5, time.UnixMilli(-5)},
		{time.UnixMilli(1700000000123).Add(456 * time.Microsecond), 1700000000123, time.UnixMilli(1700000000123)},
	} {
		ms := backend.ExpiryMillis(c.at)
		if back := backend.ExpiryTime(ms); ms != c.ms || !back.Equal(c.back) {
			t.Errorf("%v is %d and %v", c.at, ms, back)
		}
		if cut := backend.CutExpiry(c.at); !cut.Equal(c.at.Truncate(time.Millisecond)) || cut.IsZero() != c.at.IsZero() || cut.Location() != time.UTC {
			t.Errorf("%v is kept as %v", c.at, cut)
		}
		if backend.Expired(c.at, time.UnixMilli(1800000000000)) == c.at.IsZero() {
			t.Errorf("%v has expired: %v", c.at, c.at.IsZero())
		}
	}
	if now := time.Now(); !backend.Expired(now, now) || backend.Expired(now.Add(1), now) {
		t.Error("an entry is there until its time, and not at it")
	}
}
