package filestore

import (
	"context"
	"errors"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// number gives a number for a generation or fence that is higher than old. Where
// there is no old one (0), it is higher than every number ever removed from this
// shard: the mark holds the highest of those, and is raised before a removal. The
// clock only keeps numbers from repeating if somebody removes files by hand.
func (s *Store) number(shardPath string, old uint64) (uint64, error) {
	floor := old
	if old == 0 {
		m, err := readMark(shardPath)
		if err != nil {
			return 0, err
		}
		floor = m
	}
	return max(floor+1, uint64(max(s.now().UnixMicro(), 0))), nil
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, key states.Key) (storage.Entry, error) {
	if err := ctx.Err(); err != nil {
		return storage.Entry{}, err
	}
	return s.get(s.place(key))
}

func (s *Store) get(p place) (storage.Entry, error) {
	r, err := p.readEntry()
	if err != nil {
		return storage.Entry{}, err
	}
	if r == nil {
		if err := s.present(); err != nil {
			return storage.Entry{}, err
		}
		return storage.Entry{}, storage.ErrNotFound
	}
	e := r.entry()
	if backend.Expired(e.Expires, s.now()) {
		return storage.Entry{}, storage.ErrNotFound
	}
	return e, nil
}

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	return s.PutAndRelease(ctx, key, value, expected, expires, 0)
}

// PutAndRelease implements storage.PutReleaser.
func (s *Store) PutAndRelease(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time, fence uint64) (states.Generation, error) {
	p := s.place(key)
	var gen uint64
	err := s.locked(ctx, p.shard, func() error {
		old, err := p.readEntry()
		if err != nil {
			return err
		}
		var last uint64
		var live states.Generation
		if old != nil {
			last = old.Generation
			if e := old.entry(); !backend.Expired(e.Expires, s.now()) {
				live = e.Generation
			}
		} else if err := s.present(); err != nil {
			return err
		}
		if live != expected {
			return storage.ErrConflict
		}
		if gen, err = s.number(p.shard, last); err != nil {
			return err
		}
		if err := p.writeEntry(gen, value, expires); err != nil {
			return err
		}
		if fence != 0 {
			_ = p.release(fence) // the entry is written; the lease runs out by itself
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return states.Generation(gen), nil
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, key states.Key, expected states.Generation) error {
	p := s.place(key)
	return s.locked(ctx, p.shard, func() error {
		old, err := p.readEntry()
		switch {
		case err != nil:
			return err
		case old == nil:
			if err := s.present(); err != nil {
				return err
			}
			return storage.ErrNotFound
		case backend.Expired(old.entry().Expires, s.now()):
			return storage.ErrNotFound
		case old.entry().Generation != expected:
			return storage.ErrConflict
		}
		if err := raiseMark(p.shard, old.Generation); err != nil {
			return err
		}
		return p.removeEntry()
	})
}

// Discard removes the file of a damaged entry that no conditional call can name,
// because Get answers with a storage.UnreadableError of generation 0. An entry
// that can be read is left alone, with ErrConflict.
func (s *Store) Discard(ctx context.Context, key states.Key) error {
	p := s.place(key)
	return s.locked(ctx, p.shard, func() error {
		r, err := p.readEntry()
		if err == nil {
			if r == nil {
				return storage.ErrNotFound
			}
			return storage.ErrConflict
		}
		if u := (*storage.UnreadableError)(nil); !errors.As(err, &u) {
			return err
		}
		// The lost generation was drawn before now.
		if err := raiseMark(p.shard, uint64(max(s.now().UnixMicro(), 0))); err != nil {
			return err
		}
		return p.removeEntry()
	})
}
