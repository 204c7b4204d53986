// Package storage keeps credentials: opaque bytes under a structured key, with a
// generation that makes every write and delete conditional, and a lease that lets one
// process at a time refresh.
//
//	first, err := store.Put(ctx, key, []byte("one"), 0, time.Time{}) // 0: there must be none yet
//	_, err = store.Put(ctx, key, []byte("three"), first, time.Time{})
//	fmt.Println(errors.Is(err, storage.ErrConflict))
//	entry, err := store.Get(ctx, key)
//
// The backends are memory ([NewMemory]), and the packages filestore, sqlitestore,
// pgstore, redisstore and secretstore; package sealed encrypts what any of them keeps,
// and package open opens one by a short text.
//
// # Guarantees
//
//   - The contract of [Store] is a suite of tests (package storetest), which every
//     backend here passes.
//   - Every method names an entry by its whole key. There is no query for "any token
//     of this server" (store-no-any-token).
//
// # Who should not use it
//
// Most programs: they open a store with package open or keyringstore, and hand it to
// the driver.
package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stile-oauth/stile/states"
)

// The answers of a store that are not failures of the store.
var (
	// ErrNotFound says that no entry is there, or that it has expired.
	ErrNotFound = errors.New("storage: no such entry")
	// ErrConflict says that the entry is not of the expected generation.
	ErrConflict = errors.New("storage: the entry has changed")
	// ErrHeld says that another holder has the lease and it has not run out.
	ErrHeld = errors.New("storage: the lease is held")
)

// IsAnswer tells whether err is one of the three answers above (or nil), and
// not a failure of the store.
func IsAnswer(err error) bool {
	return err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) || errors.Is(err, ErrHeld)
}

// Entry is one stored value.
type Entry struct {
	// Value is the caller's own copy.
	Value []byte
	// Generation is what a Put or Delete of this version must name.
	Generation states.Generation
	// Expires is when the entry ceases to exist; zero means never. It is kept
	// to the millisecond: stores cut off what is finer.
	Expires time.Time
}

// Lease is the right to be the only one at work on a key for as long as TTL,
// on the store's clock. Fence grows with every lease of the key and never
// repeats.
type Lease struct {
	Fence uint64
	// TTL is how long the lease still runs, counted from the answer: the
	// caller's clock and the store's need not agree. To be safe, count from just
	// before the call.
	TTL time.Duration
}

// Store keeps entries. Every method honours its context, even while it waits for
// a lock. Every error that is not one of the three above means that the store
// itself failed: nothing may be concluded about the entry, not even whether the
// failed call had its effect. A Store may be used by many goroutines at once.
type Store interface {
	// Get returns the entry, or ErrNotFound. An entry that is there and cannot
	// be read is an *UnreadableError, never ErrNotFound.
	Get(ctx context.Context, key states.Key) (Entry, error)
	// Put writes value if the entry is of the expected generation (0: the
	// entry must not exist), and returns the new generation. Otherwise it returns
	// ErrConflict, also when a generation is expected and the entry is gone or
	// expired. A zero expires means that the entry stays until deleted; a time that
	// has passed on the store's clock makes an entry that is expired at once.
	Put(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time) (states.Generation, error)
	// Delete removes the entry if it is of the expected generation. A missing
	// or expired entry is ErrNotFound, another generation ErrConflict. Of
	// several concurrent deletes of one generation exactly one succeeds: that
	// is how a pending login is claimed.
	Delete(ctx context.Context, key states.Key, expected states.Generation) error
	// Lease acquires the lease of key for ttl (more than 0), or answers
	// ErrHeld. The entry itself need not exist, and is not touched.
	Lease(ctx context.Context, key states.Key, ttl time.Duration) (Lease, error)
	// Release ends the lease with this fence. A lease that has run out, or was
	// taken over by another, is left as it is; that is no error.
	Release(ctx context.Context, key states.Key, fence uint64) error
}

// Lister is optional, for administration: the keys of one subject of one tenant
// whose entries have not expired, in an order that is the same for every store.
// An empty subject is a subject like any other, not a wildcard.
type Lister interface {
	List(ctx context.Context, tenant, subject string) ([]states.Key, error)
}

// ErrFormat is wrapped by the error for a store, or an entry, that a newer version of Stile
// has written. Nothing of it is changed.
var ErrFormat = errors.New("of a format that this version does not know")

// ErrLease is the answer to a request for a lease of no time: the caller's mistake.
var ErrLease = errors.New("storage: a lease needs a positive time limit")

// UnreadableError says that an entry is there and cannot be read: it was
// damaged, belongs to another key, or is sealed with a key that was not found. The
// entry is left as it is. To give it up, delete or overwrite it under Generation.
type UnreadableError struct {
	Key states.Key
	// Where is the place in the backend (a file name, a row), if one helps.
	Where string
	// Generation is what the entry's generation is; 0 if not even that could
	// be read.
	Generation states.Generation
	// Err is the reason.
	Err error
}

func (e *UnreadableError) Error() string {
	s := fmt.Sprintf("storage: the entry %q cannot be read", e.Key.String())
	if e.Where != "" {
		s += " (" + e.Where + ")"
	}
	return s + ": " + e.Err.Error()
}

func (e *UnreadableError) Unwrap() error { return e.Err }
