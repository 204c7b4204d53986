package sqlitestore

import "time"

// DSN is what the store's connections are opened with.
func DSN(path string) string { return dsn(path) }

// BusyFor sets how long calls wait for other processes, until it is undone.
func BusyFor(d time.Duration) (undo func()) {
	was := busyFor
	busyFor = d
	return func() { busyFor = was }
}
