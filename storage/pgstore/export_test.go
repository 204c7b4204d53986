package pgstore

import "time"

// ConnectWait sets how long calls wait for a server that has no connection free, until
// it is undone.
func ConnectWait(d time.Duration) (undo func()) {
	was := connectWait
	connectWait = d
	return func() { connectWait = was }
}
