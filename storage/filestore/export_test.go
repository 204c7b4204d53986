package filestore

import "time"

// Clock gives the store another clock.
func Clock(now func() time.Time) Option { return func(s *Store) { s.now = now } }
