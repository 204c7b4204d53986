package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// leaseRecord is the content of a lease's file. The file stays after the lease has
// ended, to keep the fence. Times are Unix microseconds on the machine's clock.
type leaseRecord struct {
	Version int    `json:"version"`
	Fence   uint64 `json:"fence"`
	At      int64  `json:"at"`    // when the lease was given
	Until   int64  `json:"until"` // when it ends; not after At if it was released
}

// readLease reads a lease's file. A missing or malformed one is a lease that
// nobody holds: a damaged file must not block others, and every write is
// conditional anyway.
func readLease(path string) (leaseRecord, error) {
	b, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return leaseRecord{}, nil
	}
	if err != nil {
		return leaseRecord{}, fmt.Errorf("filestore: %w", err)
	}
	var l leaseRecord
	if json.Unmarshal(b, &l) != nil {
		return leaseRecord{}, nil
	}
	if l.Version != 1 {
		return leaseRecord{}, fmt.Errorf("filestore: %s: %w", path, errNewer)
	}
	return l, nil
}

func (p place) writeLease(l leaseRecord) error {
	l.Version = 1
	b, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	return writeFile(p.shard, p.leaseName(), b)
}

// Lease implements storage.Store.
func (s *Store) Lease(ctx context.Context, key states.Key, ttl time.Duration) (storage.Lease, error) {
	l, err := s.LeaseAndGet(ctx, key, ttl)
	return l.Lease, err
}

// LeaseAndGet implements storage.LeaseGetter.
func (s *Store) LeaseAndGet(ctx context.Context, key states.Key, ttl time.Duration) (storage.LeasedEntry, error) {
	if ttl <= 0 {
		return storage.LeasedEntry{}, storage.ErrLease
	}
	p := s.place(key)
	var got storage.LeasedEntry
	err := s.locked(ctx, p.shard, func() error {
		if err := s.present(); err != nil {
			return err
		}
		l, err := readLease(filepath.Join(p.shard, p.leaseName()))
		if err != nil {
			return err
		}
		at := s.now()
		now := at.UnixMicro()
		if l.heldAt(at) {
			if now < l.At {
				// The clock was put back since: nobody knows how much of the lease
				// is left. Its whole time is counted again from now, so that the wait
				// has an end and nobody gets in early.
				l.Until, l.At = now+(l.Until-l.At), now
				if err := p.writeLease(l); err != nil {
					return err
				}
			}
			return storage.ErrHeld
		}
		fence, err := s.number(p.shard, l.Fence)
		if err != nil {
			return err
		}
		// A limit shorter than a microsecond becomes one microsecond.
		if err := p.writeLease(leaseRecord{Fence: fence, At: now, Until: now + max(ttl.Microseconds(), 1)}); err != nil {
			return err
		}
		got.Entry, got.EntryErr = s.get(p)
		left := ttl - time.Duration(s.now().UnixMicro()-now)*time.Microsecond
		got.Lease = storage.Lease{Fence: fence, TTL: min(max(left, 1), ttl)}
		return nil
	})
	return got, err
}

// GetHeld implements storage.HeldGetter.
func (s *Store) GetHeld(ctx context.Context, key states.Key) (e storage.Entry, held bool, err error) {
	if e, err = s.Get(ctx, key); err != nil {
		return e, false, err
	}
	p := s.place(key)
	l, _ := readLease(filepath.Join(p.shard, p.leaseName())) // one that cannot be read is nobody's
	return e, l.heldAt(s.now()), nil
}

// heldAt tells whether somebody holds the lease. A lease that began later than
// now was given before the clock was put back, and still runs.
func (l leaseRecord) heldAt(now time.Time) bool { return l.Until > l.At && l.Until > now.UnixMicro() }

// Release implements storage.Store.
func (s *Store) Release(ctx context.Context, key states.Key, fence uint64) error {
	p := s.place(key)
	return s.locked(ctx, p.shard, func() error {
		if err := s.present(); err != nil {
			return err
		}
		return p.release(fence)
	})
}

// release ends the lease with this fence. The shard's lock is held.
func (p place) release(fence uint64) error {
	l, err := readLease(filepath.Join(p.shard, p.leaseName()))
	if err != nil || l.Fence != fence || l.Until <= l.At {
		return err
	}
	l.Until = l.At
	return p.writeLease(l)
}

// Watch implements storage.Watcher, by polling the files.
func (s *Store) Watch(key states.Key) (changed <-chan struct{}, stop func()) {
	p := s.place(key)
	return backend.Poll(func() (seen string, ok bool) {
		if l, err := readLease(filepath.Join(p.shard, p.leaseName())); err != nil || l.heldAt(s.now()) {
			return backend.Held, err == nil
		}
		info, err := os.Stat(filepath.Join(p.shard, p.entryName()))
		if errors.Is(err, fs.ErrNotExist) {
			return "none", true
		}
		if err != nil {
			return "", false
		}
		return fmt.Sprint(info.ModTime().UnixNano(), info.Size()), true
	})
}
