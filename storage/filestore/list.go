package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// sweepEvery is how often a process cleans a shard that it writes to; keptLease
// is how long the record of an ended lease is kept.
const (
	sweepEvery = time.Hour
	keptLease  = 24 * time.Hour
)

// Sweep removes what is no longer needed: files that killed processes left half
// written, expired entries, records of leases that ended long ago. Writers do
// the same by the way, once an hour; calling it is never necessary.
func (s *Store) Sweep(ctx context.Context) error {
	return s.eachShard(ctx, func(path string) error {
		return s.locked(ctx, path, func() error { return s.sweepShard(path) })
	})
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
			continue
		case strings.HasSuffix(n.Name(), entrySuffix):
			b, err := readFile(full)
			if err != nil {
				failed = append(failed, err)
				continue
			}
			if r, err := parseRecord(b); err == nil && backend.Expired(r.entry().Expires, now) {
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

// eachShard calls f with the path of every shard there is.
func (s *Store) eachShard(ctx context.Context, f func(path string) error) error {
	if err := s.present(); err != nil {
		return err
	}
	names, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	for _, n := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !n.IsDir() || len(n.Name()) != 2 {
			continue
		}
		if err := f(filepath.Join(s.dir, n.Name())); err != nil {
			return err
		}
	}
	return nil
}

// eachKey calls f with the key of every entry that has not expired. What cannot
// be read is told in the error, when all others were given.
func (s *Store) eachKey(ctx context.Context, f func(states.Key)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var unreadable []error
	err := s.eachShard(ctx, func(path string) error {
		names, err := os.ReadDir(path)
		if err != nil {
			return fmt.Errorf("filestore: %w", err)
		}
		for _, n := range names {
			if !strings.HasSuffix(n.Name(), entrySuffix) {
				continue
			}
			full := filepath.Join(path, n.Name())
			b, err := readFile(full)
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted meanwhile
			}
			if err != nil {
				return fmt.Errorf("filestore: %w", err)
			}
			r, err := parseRecord(b)
			if err != nil {
				unreadable = append(unreadable, fmt.Errorf("filestore: %s: %w", full, err))
				continue
			}
			k, err := backend.DecodeKey(r.Key)
			if err == nil && backend.KeyID(k)+entrySuffix != n.Name() {
				err = errForeign
			}
			if err != nil {
				unreadable = append(unreadable, fmt.Errorf("filestore: %s: %w", full, err))
				continue
			}
			if !backend.Expired(r.entry().Expires, s.now()) {
				f(k)
			}
		}
		return nil
	})
	return errors.Join(append(unreadable, err)...)
}

// List implements storage.Lister. It reads the whole directory.
func (s *Store) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	var keys []states.Key
	err := s.eachKey(ctx, func(k states.Key) {
		if k.Tenant == tenant && k.Subject == subject {
			keys = append(keys, k)
		}
	})
	backend.SortKeys(keys)
	return keys, err
}

// Owners implements storage.OwnerLister. It reads the whole directory.
func (s *Store) Owners(ctx context.Context) ([]storage.Owner, error) {
	seen := map[storage.Owner]bool{}
	var owners []storage.Owner
	err := s.eachKey(ctx, func(k states.Key) {
		if o := (storage.Owner{Tenant: k.Tenant, Subject: k.Subject}); !seen[o] {
			seen[o] = true
			owners = append(owners, o)
		}
	})
	slices.SortFunc(owners, storage.Owner.Compare)
	return owners, err
}
