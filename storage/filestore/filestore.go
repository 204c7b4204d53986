// Package filestore keeps one file per entry, for programs of one user on one
// machine: command lines, desktop hosts, several of them at once.
//
//	dir, err := filestore.DefaultDir(os.Getenv)
//	store, err := filestore.Open(dir)
//	driver, err := httpdriver.New(httpdriver.Options{Store: store})
//
// # Guarantees
//
// A file is replaced as a whole: written beside its place, synced, renamed, and
// the directory synced (store-mode), so that a process may be killed at any
// instant and a reader sees the version before or the version after. Readers
// take no lock. Writers take a file lock (flock) for the time of the update
// only. The lease is a record with a time limit, so a holder that was stopped or
// killed blocks others no longer than that.
//
// The directory is 0700 and its files 0600; a directory that others can enter,
// or whose parents others can write, is refused. All processes must run on one
// machine: network file systems have neither reliable locks nor one clock.
//
// Values are kept as they are given. Package sealed encrypts them, and package
// keyringstore combines both with a key from the keyring.
//
// # Who should not use it
//
// Programs on several machines, and hosts with many thousands of entries: a database
// serves them better.
package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// Store is a directory of entries. It is a storage.Store and has all its optional
// interfaces except storage.Queuer. It need not be closed: nothing stays open
// between calls.
type Store struct {
	dir        string
	now        func() time.Time
	wait       time.Duration
	background time.Duration // how often it is swept
	next       atomic.Uint32 // the shard that the background sweeps next

	mu     sync.Mutex
	shards map[string]*shard
}

// shard is what this process knows of one of the 256 sub-directories.
type shard struct {
	turn  chan struct{} // holds one token: whose turn it is in this process
	swept time.Time
}

// Option changes how Open builds.
type Option func(*Store)

// LockWait bounds how long a call waits for another process that is in the
// middle of an update, if its context does not end sooner. It is 10 seconds
// by default.
func LockWait(d time.Duration) Option { return func(s *Store) { s.wait = d } }

// The names in the directory and in its shards.
const (
	formatName  = "format"
	formatText  = "stile-filestore 2\n"
	olderFormat = "stile-filestore 1\n" // entries were named by their key alone
	lockName    = "lock"
	markName    = "mark"
	entrySuffix = ".entry"
	leaseSuffix = ".lease"
	tempPrefix  = "tmp-"
)

// DefaultDir is the usual directory of a user's store: ~/.local/state/stile, on
// Windows %LocalAppData%\stile. The package reads no environment variable; with
// getenv (such as os.Getenv) the directory is $XDG_STATE_HOME/stile where that is set.
func DefaultDir(getenv func(string) string) (string, error) {
	if getenv != nil {
		if d := getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
			return filepath.Join(d, "stile"), nil
		}
	}
	return defaultDir()
}

// Open opens the store in dir and creates the directory if it is missing. It
// refuses a directory that others can enter or write, one with a parent that
// others can write, and one that a newer version of this package has written.
func Open(dir string, opts ...Option) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	s := &Store{dir: abs, now: time.Now, wait: 10 * time.Second, background: backgroundEvery, shards: map[string]*shard{}}
	for _, o := range opts {
		o(s)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	if err := backend.CheckDir(abs); err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	have, err := os.ReadFile(filepath.Join(abs, formatName))
	switch {
	case errors.Is(err, fs.ErrNotExist), string(have) == olderFormat:
		// Processes that get here at the same time write the same bytes.
		if err := writeFile(abs, formatName, []byte(formatText)); err != nil {
			return nil, fmt.Errorf("filestore: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("filestore: %w", err)
	case string(have) != formatText:
		return nil, fmt.Errorf("filestore: %s is %w (%.40q); nothing was changed", abs, storage.ErrFormat, have)
	}
	s.cleanRoot()
	s.sweepLater()
	return s, nil
}

// Begun reports whether a store was begun in dir. It changes nothing. A directory
// that cannot be looked into counts as begun: Open says what is wrong with it.
func Begun(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, formatName))
	return !errors.Is(err, fs.ErrNotExist)
}

// cleanRoot removes what a process left behind that was killed while it wrote the
// format, but only when it is so old that no process can be about to rename it.
func (s *Store) cleanRoot() {
	left, _ := filepath.Glob(filepath.Join(s.dir, tempPrefix+"*"))
	for _, path := range left {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > time.Minute {
			_ = os.Remove(path)
		}
	}
}

// Dir is the directory of the store.
func (s *Store) Dir() string { return s.dir }

// place is where the files of one key are.
type place struct {
	key   states.Key
	shard string // the shard's path
	id    string
}

func (s *Store) place(k states.Key) place {
	id := backend.KeyID(k)
	return place{key: k, shard: filepath.Join(s.dir, id[:2]), id: id}
}

// entryName names the owner too, so that a listing of one owner reads no files
// of others; olderName is the name that the older format gave an entry. A file with
// that name is removed at the next write.
func (p place) entryName() string { return p.id + ownerSuffix(p.key.Tenant, p.key.Subject) }
func (p place) olderName() string { return p.id + entrySuffix }
func (p place) leaseName() string { return p.id + leaseSuffix }

func ownerSuffix(tenant, subject string) string {
	return "." + backend.OwnerID(tenant, subject)[:16] + entrySuffix
}

// present makes sure that a missing file means a missing entry, and not that
// the whole directory is gone (unmounted, deleted).
func (s *Store) present() error {
	if _, err := os.Stat(filepath.Join(s.dir, formatName)); err != nil {
		return fmt.Errorf("filestore: the store's directory is gone: %w", err)
	}
	return nil
}

// locked runs update while no other goroutine or process updates this shard.
func (s *Store) locked(ctx context.Context, shardPath string, update func() error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	s.mu.Lock()
	sh := s.shards[shardPath]
	if sh == nil {
		sh = &shard{turn: make(chan struct{}, 1)}
		s.shards[shardPath] = sh
	}
	s.mu.Unlock()
	lockPath := filepath.Join(shardPath, lockName)
	holder := "other calls of this process"
	stuck := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fmt.Errorf("filestore: %s was locked by %s for more than %v", lockPath, holder, s.wait)
	}
	select {
	case sh.turn <- struct{}{}:
		defer func() { <-sh.turn }()
	case <-bounded.Done():
		return stuck()
	}
	if err := s.makeShard(shardPath); err != nil {
		return err
	}
	holder = "another process"
	lock := flock.New(lockPath, flock.SetPermissions(0o600))
	if ok, err := lock.TryLockContext(bounded, 2*time.Millisecond); !ok {
		if bounded.Err() != nil {
			return stuck()
		}
		return fmt.Errorf("filestore: lock: %w", err)
	}
	// The lock ends with its file handle, also when this process is killed.
	defer func() {
		if e := lock.Close(); e != nil && err == nil {
			err = fmt.Errorf("filestore: unlock: %w", e)
		}
	}()
	if now := s.now(); now.Sub(sh.swept) >= sweepEvery || now.Before(sh.swept) {
		// What cannot be cleaned up now is cleaned up next time.
		if s.sweepShard(shardPath) == nil {
			sh.swept = now
		}
	}
	return update()
}

func (s *Store) makeShard(shardPath string) error {
	err := os.Mkdir(shardPath, 0o700)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return fmt.Errorf("filestore: %w", err)
	}
	return syncDir(s.dir)
}
