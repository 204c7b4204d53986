package backend

import "time"

// Expired tells whether an entry with this expiry has ceased to exist. Zero
// means never.
func Expired(expires, now time.Time) bool { return !expires.IsZero() && !expires.After(now) }

// CutExpiry gives an expiry as a store keeps it: to the millisecond, in UTC. The
// zero time stays zero.
func CutExpiry(expires time.Time) time.Time { return time.UnixMilli(expires.UnixMilli()).UTC() }

// ExpiryMillis gives an expiry as a number: Unix milliseconds, 0 for never. The
// epoch itself, which would read as never, becomes the millisecond before it.
func ExpiryMillis(expires time.Time) int64 {
	if expires.IsZero() {
		return 0
	}
	if ms := expires.UnixMilli(); ms != 0 {
		return ms
	}
	return -1
}

// ExpiryTime is the inverse of ExpiryMillis.
func ExpiryTime(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
