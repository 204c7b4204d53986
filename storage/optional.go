package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stile-oauth/stile/states"
)

// LeaseGetter is optional: Lease and Get in one round trip. Use the function
// LeaseAndGet, which also works where a store has none.
type LeaseGetter interface {
	// LeaseAndGet is Lease and then, under the lease, Get. Its error is that of
	// Lease.
	LeaseAndGet(ctx context.Context, key states.Key, ttl time.Duration) (LeasedEntry, error)
}

// LeasedEntry is a lease and what was read under it.
type LeasedEntry struct {
	Lease Lease
	Entry Entry
	// EntryErr is the error of the Get, such as ErrNotFound.
	EntryErr error
}

// LeaseAndGet takes the lease of key and reads its entry, in one round trip
// where the store can.
func LeaseAndGet(ctx context.Context, s Store, key states.Key, ttl time.Duration) (LeasedEntry, error) {
	if c, ok := s.(LeaseGetter); ok {
		return c.LeaseAndGet(ctx, key, ttl)
	}
	asked := time.Now()
	l, err := s.Lease(ctx, key, ttl)
	if err != nil {
		return LeasedEntry{}, err
	}
	e, err := s.Get(ctx, key)
	l.TTL -= time.Since(asked)
	return LeasedEntry{l, e, err}, nil
}

// HeldGetter is optional: Get, and whether somebody holds the lease, in one round
// trip.
type HeldGetter interface {
	// GetHeld is Get, and also tells whether somebody holds the lease of key. held
	// is told only with an entry that is there; an error may hide that it is held.
	GetHeld(ctx context.Context, key states.Key) (e Entry, held bool, err error)
}

// GetHeld reads an entry, and tells whether somebody holds its lease if the store
// can tell that in the same round trip; otherwise it says that nobody does.
func GetHeld(ctx context.Context, s Store, key states.Key) (e Entry, held bool, err error) {
	if c, ok := s.(HeldGetter); ok {
		return c.GetHeld(ctx, key)
	}
	e, err = s.Get(ctx, key)
	return e, false, err
}

// PutReleaser is optional: Put and Release in one round trip. Use the function
// PutAndRelease, which also works where a store has none.
type PutReleaser interface {
	// PutAndRelease is Put and, if that succeeds, Release. After any error the
	// lease is as it was, or it has been released together with a Put whose
	// answer was lost.
	PutAndRelease(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time, fence uint64) (states.Generation, error)
}

// PutAndRelease writes an entry and, if that succeeds, ends the lease under
// which it was written, in one round trip where the store can. A lease that
// cannot be released runs out by itself, and is no error.
func PutAndRelease(ctx context.Context, s Store, key states.Key, value []byte, expected states.Generation, expires time.Time, fence uint64) (states.Generation, error) {
	if c, ok := s.(PutReleaser); ok {
		return c.PutAndRelease(ctx, key, value, expected, expires, fence)
	}
	g, err := s.Put(ctx, key, value, expected, expires)
	if err == nil {
		_ = s.Release(ctx, key, fence)
	}
	return g, err
}

// Watcher is optional: a store that notices what other processes do.
type Watcher interface {
	// Watch tells about changes of key in any process: a write or delete of the
	// entry without a lease, and the end of a lease by Release. The channel gets
	// a value some milliseconds after a change, and may get one without a change.
	// It is a hint that saves polling: a change may be missed while the backend is
	// out of reach, so poll as well, less often. Call stop to end the watch.
	Watch(key states.Key) (changed <-chan struct{}, stop func())
}

// Watch watches a key where the store can; elsewhere the channel is nil, and
// never gets a value.
func Watch(s Store, key states.Key) (changed <-chan struct{}, stop func()) {
	if w, ok := s.(Watcher); ok {
		return w.Watch(key)
	}
	return nil, func() {}
}

// Queuer is optional: a store whose calls share a bounded number of connections.
type Queuer interface {
	// Queue waits, as long as the context lasts, until a connection is free for
	// one call. The call's own time limit begins afterwards, so that a burst
	// delays calls and does not make them fail. Urgent calls, of those who hold a
	// lease, go first. Call done after the call.
	Queue(ctx context.Context, urgent bool) (done func(), err error)
}

// Queue waits for a connection where the store has a bounded number of them.
func Queue(ctx context.Context, s Store, urgent bool) (done func(), err error) {
	if q, ok := s.(Queuer); ok {
		return q.Queue(ctx, urgent)
	}
	return func() {}, nil
}

// KeyLister is optional, for administration of a whole store: all keys whose
// entries have not expired, of everybody, in one pass.
type KeyLister interface {
	// Keys calls each for every key, in no particular order. What cannot be read
	// is in the error, after all others were given. An error of each ends the pass.
	Keys(ctx context.Context, each func(states.Key) error) error
}

// EntryLister is optional: the entries of one owner in one pass.
type EntryLister interface {
	// Entries calls each with what List and Get would answer, in the order of
	// List. An error of each ends the pass.
	Entries(ctx context.Context, tenant, subject string, each func(states.Key, Entry, error) error) error
}

// Entries gives the entries of one owner, in one pass where the store can. A
// store that is no Lister answers errors.ErrUnsupported.
func Entries(ctx context.Context, s Store, tenant, subject string, each func(states.Key, Entry, error) error) error {
	if l, ok := s.(EntryLister); ok {
		return l.Entries(ctx, tenant, subject, each)
	}
	l, ok := s.(Lister)
	if !ok {
		return fmt.Errorf("storage: this store cannot list: %w", errors.ErrUnsupported)
	}
	keys, listErr := l.List(ctx, tenant, subject)
	for _, k := range keys {
		e, err := s.Get(ctx, k)
		if err := each(k, e, err); err != nil {
			return err
		}
	}
	return listErr
}
