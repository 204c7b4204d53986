// Package storage says how credentials are kept: opaque bytes under a
// structured key, with a generation that makes every write and delete
// conditional, and a lease that tells one process at a time to refresh.
//
// The contract is executable: package storetest runs it against any backend.
package storage

import (
	"context"
	"errors"
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

// Entry is one stored value.
type Entry struct {
	Value      []byte
	Generation states.Generation
	// Expires is when the entry ceases to exist; zero means never.
	Expires time.Time
}

// Lease is the right to be the only one at work on a key until Until, on the
// store's clock. Fence grows with every lease of the key and never repeats.
type Lease struct {
	Fence uint64
	// TTL is how long the lease still runs, counted from the answer: the
	// caller's clock and the store's need not agree.
	TTL time.Duration
}

// Store keeps entries. Every method honours its context; every error that is
// not one of the three above means that the store itself failed, and nothing
// may be concluded about the entry.
type Store interface {
	// Get returns the entry, or ErrNotFound.
	Get(ctx context.Context, key states.Key) (Entry, error)
	// Put writes value if the entry is of the expected generation (0: the
	// entry must not exist) and returns the new generation, or ErrConflict.
	// A zero expires means that the entry stays until deleted.
	Put(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time) (states.Generation, error)
	// Delete removes the entry if it is of the expected generation. A missing
	// entry is ErrNotFound, another generation ErrConflict. Of several
	// concurrent deletes of one generation exactly one succeeds: that is how
	// a pending login is claimed.
	Delete(ctx context.Context, key states.Key, expected states.Generation) error
	// Lease acquires the lease of key for ttl, or answers ErrHeld.
	Lease(ctx context.Context, key states.Key, ttl time.Duration) (Lease, error)
	// Release ends the lease with this fence. A lease that has run out, or was
	// taken over by another, is left as it is; that is no error.
	Release(ctx context.Context, key states.Key, fence uint64) error
}

// Lister is optional, for administration: the keys of one subject of one
// tenant. An empty subject is a subject like any other, not a wildcard.
type Lister interface {
	List(ctx context.Context, tenant, subject string) ([]states.Key, error)
}
