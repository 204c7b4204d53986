package filestore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
	"weak"

	"github.com/stile-oauth/stile/storage/internal/backend"
)

const (
	// sweepEvery is how often a process cleans a shard that it writes to.
	sweepEvery = time.Hour
	// backgroundEvery is how often an open store cleans some of its shards, even
	// when nothing else happens; backgroundFiles is the number of files after which
	// it stops until the next time.
	backgroundEvery = 10 * time.Minute
	backgroundFiles = 1000
	// keptLease is how long the record of an ended lease is kept.
	keptLease = 24 * time.Hour
)

// sweepLater cleans in the background for as long as the store is in use.
func (s *Store) sweepLater() {
	alive := weak.Make(s)
	time.AfterFunc(s.background+rand.N(s.background/5), func() {
		if s := alive.Value(); s != nil {
			ctx, cancel := context.WithTimeout(context.Background(), backgroundEvery)
			defer cancel()
			s.sweepSome(ctx)
			s.sweepLater()
		}
	})
}

// sweepSome cleans some shards, beginning after those that it cleaned the last time.
func (s *Store) sweepSome(ctx context.Context) {
	for files, shards := 0, 0; files < backgroundFiles && shards < 256 && ctx.Err() == nil; shards++ {
		path := filepath.Join(s.dir, fmt.Sprintf("%02x", uint8(s.next.Add(1))))
		names, err := os.ReadDir(path)
		if err != nil {
			continue // there is none
		}
		files += len(names)
		// What cannot be cleaned up now is cleaned up the next time round.
		_ = s.locked(ctx, path, func() error { return s.sweepShard(path) })
	}
}

// Sweep removes what is no longer needed: files that killed processes left half
// written, expired entries, records of leases that ended long ago. Calling it is
// never necessary: every open store sweeps by itself (docs/storage.md#sweeping).
func (s *Store) Sweep(ctx context.Context) error {
	paths, err := s.allShards()
	for _, path := range paths {
		if err == nil {
			err = s.locked(ctx, path, func() error { return s.sweepShard(path) })
		}
	}
	return err
}

// sweepShard cleans one shard. Its lock is held, so whatever is half written
// was left behind. A file that cannot be read is not touched.
func (s *Store) sweepShard(path string) error {
	names, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	now := s.now()
	var failed []error
	for _, n := range names {
		var top uint64
		full := filepath.Join(path, n.Name())
		switch {
		case strings.HasPrefix(n.Name(), tempPrefix):
			failed = append(failed, removeFile(path, n.Name()))
		case strings.HasSuffix(n.Name(), entrySuffix):
			b, err := readFile(full)
			if err != nil {
				failed = append(failed, fmt.Errorf("filestore: %w", err))
			} else if r, err := parseRecord(b); err == nil && backend.Expired(r.entry().Expires, now) {
				top = r.Generation
			}
		case strings.HasSuffix(n.Name(), leaseSuffix):
			l, err := readLease(full)
			if err == nil && now.Sub(time.UnixMicro(max(l.Until, l.At))) > keptLease {
				top = max(l.Fence, 1)
			}
		}
		if top == 0 {
			continue
		}
		if err := raiseMark(path, top); err != nil {
			failed = append(failed, err)
			continue
		}
		failed = append(failed, removeFile(path, n.Name()))
	}
	return errors.Join(failed...)
}
