// Package sealed encrypts what any store keeps:
//
//	store, err := sealed.New(inner, sealed.NewKey())
//
// # Guarantees
//
// Values are encrypted with AES-256-GCM (NIST SP 800-38D). The id of the key is in
// the envelope, and the entry's structured key is associated data, so that no row
// can take the place of another (store-encrypted, store-aad). Package keyringstore
// finds the key by itself.
//
// An entry that cannot be opened is an error that names it and says why. It is
// never taken for a missing one, and only a call that names its generation
// overwrites or deletes it.
//
// Sealing does not hide who has entries (tenant, subject, account and server are
// the backend's key, in the clear), nor sizes and times. Somebody who can write to
// the backend can delete an entry, change its time limit, or bring back an older
// envelope of the same entry.
//
// # Who should not use it
//
// A program that has no key of its own to keep takes package keyringstore.
package sealed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// KindKeys is the kind of the one entry that a sealed store may hold in the
// clear: which keys it is sealed with and where each is to be found (package
// keyringstore keeps it). It cannot be reached through a Store, nor is it
// listed.
const KindKeys states.Kind = "sealing-keys"

// ErrReserved is the answer to a call with a key of KindKeys: the caller's
// mistake.
var ErrReserved = errors.New("sealed: entries of this kind cannot be reached through a sealed store")

func reserved(key states.Key) error {
	if key.Kind == KindKeys {
		return ErrReserved
	}
	return nil
}

// Store seals what it gives to another store. It is a storage.Store, and has the
// optional interfaces that the other one has.
type Store struct {
	inner  storage.Store
	lookup func(ctx context.Context, id string) (Key, error)

	mu   sync.RWMutex
	seal Key
	keys map[string]Key
}

// Option changes how New builds.
type Option func(*Store)

// Lookup sets a function that finds a key whose id the store does not know, so
// that a long running process gets the key that another has rotated to. Without
// a key it returns an error; one that wraps ErrUnknownKey says that there is none.
func Lookup(f func(ctx context.Context, id string) (Key, error)) Option {
	return func(s *Store) { s.lookup = f }
}

// Also gives further keys for opening: those that sealed earlier entries.
func Also(keys ...Key) Option {
	return func(s *Store) {
		for _, k := range keys {
			if !k.IsZero() {
				s.keys[k.id] = k
			}
		}
	}
}

// New returns a store that keeps in inner what it seals with key.
func New(inner storage.Store, key Key, opts ...Option) (*Store, error) {
	if inner == nil || key.IsZero() {
		return nil, errors.New("sealed: a store and a key are needed")
	}
	s := &Store{inner: inner, seal: key, keys: map[string]Key{key.id: key}}
	for _, o := range opts {
		o(s)
	}
	return s, nil
}

// Rotate makes key the one to seal with. Keys known before still open.
func (s *Store) Rotate(key Key) error {
	if key.IsZero() {
		return errors.New("sealed: a key is needed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seal, s.keys[key.id] = key, key
	return nil
}

func (s *Store) sealing() Key {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.seal
}

// keyFor finds the key of an envelope.
func (s *Store) keyFor(ctx context.Context, id string) (Key, error) {
	s.mu.RLock()
	key, ok := s.keys[id]
	s.mu.RUnlock()
	if ok {
		return key, nil
	}
	if s.lookup == nil {
		return Key{}, unknown(id)
	}
	key, err := s.lookup(ctx, id)
	if err != nil {
		if errors.Is(err, ErrUnknownKey) {
			return Key{}, err
		}
		return Key{}, fmt.Errorf("%w: %w", unknown(id), err)
	}
	if key.id != id {
		return Key{}, unknown(id)
	}
	s.mu.Lock()
	s.keys[id] = key
	s.mu.Unlock()
	return key, nil
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, key states.Key) (storage.Entry, error) {
	e, _, err := s.get(ctx, key)
	return e, err
}

// get also tells the id of the key that the entry is sealed with.
func (s *Store) get(ctx context.Context, key states.Key) (storage.Entry, string, error) {
	if err := reserved(key); err != nil {
		return storage.Entry{}, "", err
	}
	e, err := s.inner.Get(ctx, key)
	return s.opened(ctx, key, e, err)
}

// opened opens what the store inside answers, and tells the id of the key that
// the entry is sealed with.
func (s *Store) opened(ctx context.Context, key states.Key, e storage.Entry, err error) (storage.Entry, string, error) {
	if err != nil {
		return storage.Entry{}, "", err
	}
	id, err := keyIDOf(e.Value)
	if err == nil {
		var k Key
		if k, err = s.keyFor(ctx, id); err == nil {
			e.Value, err = open(k, key, e.Value)
		}
	}
	if err != nil {
		if ctxErr := ctx.Err(); ctxErr != nil && errors.Is(err, ctxErr) {
			return storage.Entry{}, "", err
		}
		return storage.Entry{}, id, &storage.UnreadableError{Key: key, Generation: e.Generation, Err: err}
	}
	return e, id, nil
}

// Put implements storage.Store. It reads nothing: it replaces an entry that cannot
// be opened only for a caller that names its generation.
func (s *Store) Put(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	b, err := s.sealed(key, value)
	if err != nil {
		return 0, err
	}
	return s.inner.Put(ctx, key, b, expected, expires)
}

func (s *Store) sealed(key states.Key, value []byte) ([]byte, error) {
	if err := reserved(key); err != nil {
		return nil, err
	}
	return seal(s.sealing(), key, value), nil
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, key states.Key, expected states.Generation) error {
	if err := reserved(key); err != nil {
		return err
	}
	return s.inner.Delete(ctx, key, expected)
}

// Lease implements storage.Store.
func (s *Store) Lease(ctx context.Context, key states.Key, ttl time.Duration) (storage.Lease, error) {
	return s.inner.Lease(ctx, key, ttl)
}

// Release implements storage.Store.
func (s *Store) Release(ctx context.Context, key states.Key, fence uint64) error {
	return s.inner.Release(ctx, key, fence)
}

// List implements storage.Lister, if the store inside does; otherwise it
// answers errors.ErrUnsupported.
func (s *Store) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	l, ok := s.inner.(storage.Lister)
	if !ok {
		return nil, fmt.Errorf("sealed: the store inside cannot list: %w", errors.ErrUnsupported)
	}
	keys, err := l.List(ctx, tenant, subject)
	return slices.DeleteFunc(keys, func(k states.Key) bool { return k.Kind == KindKeys }), err
}

// Keys implements storage.KeyLister, if the store inside does; otherwise it
// answers errors.ErrUnsupported.
func (s *Store) Keys(ctx context.Context, each func(states.Key) error) error {
	l, ok := s.inner.(storage.KeyLister)
	if !ok {
		return fmt.Errorf("sealed: the store inside cannot list all keys: %w", errors.ErrUnsupported)
	}
	return l.Keys(ctx, func(k states.Key) error {
		if k.Kind == KindKeys {
			return nil
		}
		return each(k)
	})
}

// Entries implements storage.EntryLister, if the store inside is a
// storage.Lister; otherwise it answers errors.ErrUnsupported.
func (s *Store) Entries(ctx context.Context, tenant, subject string, each func(states.Key, storage.Entry, error) error) error {
	return storage.Entries(ctx, s.inner, tenant, subject, func(k states.Key, e storage.Entry, err error) error {
		if k.Kind == KindKeys {
			return nil
		}
		e, _, err = s.opened(ctx, k, e, err)
		return each(k, e, err)
	})
}

// GetHeld implements storage.HeldGetter.
func (s *Store) GetHeld(ctx context.Context, key states.Key) (e storage.Entry, held bool, err error) {
	if err := reserved(key); err != nil {
		return storage.Entry{}, false, err
	}
	e, held, err = storage.GetHeld(ctx, s.inner, key)
	e, _, err = s.opened(ctx, key, e, err)
	return e, held, err
}

// LeaseAndGet implements storage.LeaseGetter.
func (s *Store) LeaseAndGet(ctx context.Context, key states.Key, ttl time.Duration) (storage.LeasedEntry, error) {
	if err := reserved(key); err != nil {
		return storage.LeasedEntry{}, err
	}
	l, err := storage.LeaseAndGet(ctx, s.inner, key, ttl)
	if err == nil {
		l.Entry, _, l.EntryErr = s.opened(ctx, key, l.Entry, l.EntryErr)
	}
	return l, err
}

// PutAndRelease implements storage.PutReleaser.
func (s *Store) PutAndRelease(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time, fence uint64) (states.Generation, error) {
	b, err := s.sealed(key, value)
	if err != nil {
		return 0, err
	}
	return storage.PutAndRelease(ctx, s.inner, key, b, expected, expires, fence)
}

// Watch implements storage.Watcher.
func (s *Store) Watch(key states.Key) (changed <-chan struct{}, stop func()) {
	return storage.Watch(s.inner, key)
}

// Queue implements storage.Queuer.
func (s *Store) Queue(ctx context.Context, urgent bool) (done func(), err error) {
	return storage.Queue(ctx, s.inner, urgent)
}
