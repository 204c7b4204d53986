package filestore

import (
	"context"
	"os"
	"time"
)

// Clock gives the store another clock.
func Clock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// OnSync calls f before each file or directory that is synced, until it is undone.
func OnSync(f func(path string)) (undo func()) {
	fsync = func(file *os.File) error {
		f(file.Name())
		return file.Sync()
	}
	return func() { fsync = (*os.File).Sync }
}

// SweepSome is one sweep of the background.
func (s *Store) SweepSome() { s.sweepSome(context.Background()) }
