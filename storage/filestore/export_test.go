package filestore

import (
	"os"
	"syscall"
	"time"
)

// Clock gives the store another clock.
func Clock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// Background sets how often an open store is swept.
func Background(every time.Duration) Option { return func(s *Store) { s.background = every } }

// OnSync calls f before each file or directory that is synced, until it is undone.
func OnSync(f func(path string)) (undo func()) {
	fsync = func(file *os.File) error {
		f(file.Name())
		return file.Sync()
	}
	return func() { fsync = (*os.File).Sync }
}

// SyncBy lets f say whether a sync of a file or directory fails, until it is undone.
func SyncBy(f func(path string) error) (undo func()) {
	fsync = func(file *os.File) error {
		if err := f(file.Name()); err != nil {
			return err
		}
		return file.Sync()
	}
	return func() { fsync = (*os.File).Sync }
}

// FailSync makes each sync of a file or of a directory fail until it is undone.
func FailSync(ofDirs bool, with syscall.Errno) (undo func()) {
	fsync = func(file *os.File) error {
		if info, err := file.Stat(); err != nil || info.IsDir() != ofDirs {
			return file.Sync()
		}
		return &os.PathError{Op: "sync", Path: file.Name(), Err: with}
	}
	return func() { fsync = (*os.File).Sync }
}
