// Package secretstore is a storage.Store over a host's own secret provider: anything
// that keeps strings under names, such as a vault or a credential helper.
//
//	store := secretstore.New(provider)
//
// # Guarantees
//
//   - Everything that the contract of package storage asks, as long as the provider's
//     lock holds: each call reads and writes under it.
//   - Names hold nothing of the user, the server or the tenant: they are hashes.
//   - What has expired is removed by later writes.
//
// # Who should not use it
//
// Each write costs two writes of the provider, under one lock for all entries: a gateway
// with many users takes a database. The store cannot list its logins.
package secretstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// Provider keeps strings under names. The names begin with "stile-" and hold letters,
// digits and hyphens.
type Provider interface {
	// Get gives the string of a name, and whether there is one.
	Get(ctx context.Context, name string) (value string, found bool, err error)
	Put(ctx context.Context, name, value string) error
	// Delete removes a name. One that is not there is no error.
	Delete(ctx context.Context, name string) error
	// Lock excludes all others that use the provider, in every process, until unlock.
	Lock(ctx context.Context) (unlock func(), err error)
}

// Store is a storage.Store over a Provider.
type Store struct {
	p   Provider
	now func() time.Time
}

// Option changes how New builds.
type Option func(*Store)

// Clock gives the store another clock than time.Now. All processes that share a provider
// must agree about the time to within seconds.
func Clock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// New makes a store; it asks the provider nothing yet.
func New(p Provider, opts ...Option) *Store {
	s := &Store{p: p, now: time.Now}
	for _, o := range opts {
		o(s)
	}
	return s
}

// cell is the string of one key. Generation is 0 when there is no entry.
type cell struct {
	Key        []byte            `json:"key"` // so that a string under a wrong name is noticed
	Generation states.Generation `json:"generation,omitempty"`
	Value      []byte            `json:"value,omitempty"`
	Expires    int64             `json:"expires,omitempty"` // Unix milliseconds; 0 is never
	Fence      uint64            `json:"fence,omitempty"`
	Until      int64             `json:"until,omitempty"` // of the lease, Unix nanoseconds
}

func (c cell) held(now time.Time) bool { return c.Fence != 0 && c.Until > now.UnixNano() }

// book is the string that all keys share.
type book struct {
	// Last is the last number given, as generation or fence.
	Last uint64 `json:"last"`
	// Ending holds when cells end, by name, in Unix milliseconds.
	Ending map[string]int64 `json:"ending,omitempty"`
}

const (
	bookName  = "stile-book"
	sweepMost = 4 // cells that one write removes
)

func nameOf(key states.Key) string { return "stile-" + backend.KeyID(key) }

// read gives the cell of a key, without what has expired.
func (s *Store) read(ctx context.Context, key states.Key) (cell, error) {
	text, found, err := s.p.Get(ctx, nameOf(key))
	if err != nil {
		return cell{}, fmt.Errorf("secretstore: %w", err)
	}
	c := cell{Key: backend.EncodeKey(key)}
	if !found {
		return c, nil
	}
	var have cell
	if err := json.Unmarshal([]byte(text), &have); err != nil || !bytes.Equal(have.Key, c.Key) {
		// The reason is not told: it could quote the value.
		return c, &storage.UnreadableError{Key: key, Where: nameOf(key), Err: errors.New("the string is not of this store, or of another key")}
	}
	if backend.Expired(backend.ExpiryTime(have.Expires), s.now()) {
		have.Generation, have.Value, have.Expires = 0, nil, 0
	}
	return have, nil
}

// change runs do on the cell of a key under the lock, and writes the cell if do says
// that it changed. do is given the next number, which is then used up.
func (s *Store) change(ctx context.Context, key states.Key, do func(c *cell, next uint64) (changed bool, err error)) error {
	unlock, err := s.p.Lock(ctx)
	if err != nil {
		return fmt.Errorf("secretstore: the lock: %w", err)
	}
	defer unlock()
	c, err := s.read(ctx, key)
	var unreadable *storage.UnreadableError
	if err != nil && !errors.As(err, &unreadable) {
		return err
	}
	var b book
	text, found, err := s.p.Get(ctx, bookName)
	if err == nil && found {
		err = json.Unmarshal([]byte(text), &b)
	}
	if err != nil {
		return fmt.Errorf("secretstore: the book of numbers: %w", err)
	}
	changed, err := do(&c, b.Last+1)
	if err != nil || !changed {
		return err
	}
	b.Last++
	s.sweep(ctx, &b)
	if b.Ending == nil {
		b.Ending = map[string]int64{}
	}
	delete(b.Ending, nameOf(key))
	if end, ends := c.end(); ends {
		b.Ending[nameOf(key)] = end
	}
	// The number is used up first: giving one twice would do harm.
	if err := s.put(ctx, bookName, b); err != nil {
		return err
	}
	if c.Generation == 0 && !c.held(s.now()) {
		return wrapped(s.p.Delete(ctx, nameOf(key)))
	}
	return s.put(ctx, nameOf(key), c)
}

// end says when a cell no longer counts, if time alone brings that about.
func (c cell) end() (int64, bool) {
	lease := (c.Until + int64(time.Millisecond) - 1) / int64(time.Millisecond)
	switch {
	case c.Generation == 0:
		return lease, c.Fence != 0
	case c.Expires == 0:
		return 0, false
	}
	return max(c.Expires, lease), true
}

// sweep removes a few cells that have ended. What cannot be removed stays.
func (s *Store) sweep(ctx context.Context, b *book) {
	left := sweepMost
	for name, end := range b.Ending {
		if left == 0 {
			return
		}
		if end < s.now().UnixMilli() && s.p.Delete(ctx, name) == nil {
			delete(b.Ending, name)
			left--
		}
	}
}

func (s *Store) put(ctx context.Context, name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return wrapped(err)
	}
	return wrapped(s.p.Put(ctx, name, string(text)))
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("secretstore: %w", err)
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, key states.Key) (storage.Entry, error) {
	if err := ctx.Err(); err != nil {
		return storage.Entry{}, err
	}
	c, err := s.read(ctx, key)
	if err != nil {
		return storage.Entry{}, err
	}
	if c.Generation == 0 {
		return storage.Entry{}, storage.ErrNotFound
	}
	return storage.Entry{Value: append([]byte{}, c.Value...), Generation: c.Generation, Expires: backend.ExpiryTime(c.Expires)}, nil
}

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time) (g states.Generation, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	err = s.change(ctx, key, func(c *cell, next uint64) (bool, error) {
		if c.Generation != expected {
			return false, storage.ErrConflict
		}
		g = states.Generation(next)
		c.Generation, c.Value, c.Expires = g, value, backend.ExpiryMillis(expires)
		return true, nil
	})
	return g, err
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, key states.Key, expected states.Generation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.change(ctx, key, func(c *cell, _ uint64) (bool, error) {
		switch c.Generation {
		case 0:
			return false, storage.ErrNotFound
		case expected:
			c.Generation, c.Value, c.Expires = 0, nil, 0
			return true, nil
		}
		return false, storage.ErrConflict
	})
}

// Lease implements storage.Store.
func (s *Store) Lease(ctx context.Context, key states.Key, ttl time.Duration) (l storage.Lease, err error) {
	if err := ctx.Err(); err != nil {
		return l, err
	}
	if ttl <= 0 {
		return l, storage.ErrLease
	}
	err = s.change(ctx, key, func(c *cell, next uint64) (bool, error) {
		if c.held(s.now()) {
			return false, storage.ErrHeld
		}
		c.Fence, c.Until = next, s.now().Add(ttl).UnixNano()
		l = storage.Lease{Fence: next, TTL: ttl}
		return true, nil
	})
	return l, err
}

// Release implements storage.Store.
func (s *Store) Release(ctx context.Context, key states.Key, fence uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.change(ctx, key, func(c *cell, _ uint64) (bool, error) {
		if c.Fence != fence {
			return false, nil
		}
		c.Fence, c.Until = 0, 0
		return true, nil
	})
}
