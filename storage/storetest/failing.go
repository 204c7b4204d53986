package storetest

import (
	"context"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// Failing is a store in memory whose calls fail when a test wants it, for tests
// of what is built on a store.
type Failing struct {
	*storage.Memory
	// Before, if not nil, is called before each call, with the name of the method
	// and the key ("List" and "Keys" have none). Its error is the answer of the
	// call, which then has no effect.
	Before func(method string, key states.Key) error
}

func (f *Failing) before(method string, key states.Key) error {
	if f.Before == nil {
		return nil
	}
	return f.Before(method, key)
}

// Get implements storage.Store.
func (f *Failing) Get(ctx context.Context, key states.Key) (storage.Entry, error) {
	if err := f.before("Get", key); err != nil {
		return storage.Entry{}, err
	}
	return f.Memory.Get(ctx, key)
}

// Put implements storage.Store.
func (f *Failing) Put(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	if err := f.before("Put", key); err != nil {
		return 0, err
	}
	return f.Memory.Put(ctx, key, value, expected, expires)
}

// Delete implements storage.Store.
func (f *Failing) Delete(ctx context.Context, key states.Key, expected states.Generation) error {
	if err := f.before("Delete", key); err != nil {
		return err
	}
	return f.Memory.Delete(ctx, key, expected)
}

// Lease implements storage.Store.
func (f *Failing) Lease(ctx context.Context, key states.Key, ttl time.Duration) (storage.Lease, error) {
	if err := f.before("Lease", key); err != nil {
		return storage.Lease{}, err
	}
	return f.Memory.Lease(ctx, key, ttl)
}

// Release implements storage.Store.
func (f *Failing) Release(ctx context.Context, key states.Key, fence uint64) error {
	if err := f.before("Release", key); err != nil {
		return err
	}
	return f.Memory.Release(ctx, key, fence)
}

// GetHeld implements storage.HeldGetter.
func (f *Failing) GetHeld(ctx context.Context, key states.Key) (storage.Entry, bool, error) {
	if err := f.before("GetHeld", key); err != nil {
		return storage.Entry{}, false, err
	}
	return f.Memory.GetHeld(ctx, key)
}

// LeaseAndGet implements storage.LeaseGetter. It is a Lease and a Get, each of
// which may fail.
func (f *Failing) LeaseAndGet(ctx context.Context, key states.Key, ttl time.Duration) (storage.LeasedEntry, error) {
	l, err := f.Lease(ctx, key, ttl)
	if err != nil {
		return storage.LeasedEntry{}, err
	}
	e, err := f.Get(ctx, key)
	return storage.LeasedEntry{Lease: l, Entry: e, EntryErr: err}, nil
}

// PutAndRelease implements storage.PutReleaser.
func (f *Failing) PutAndRelease(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time, fence uint64) (states.Generation, error) {
	if err := f.before("PutAndRelease", key); err != nil {
		return 0, err
	}
	return f.Memory.PutAndRelease(ctx, key, value, expected, expires, fence)
}

// Keys implements storage.KeyLister.
func (f *Failing) Keys(ctx context.Context, each func(states.Key) error) error {
	if err := f.before("Keys", states.Key{}); err != nil {
		return err
	}
	return f.Memory.Keys(ctx, each)
}

// List implements storage.Lister.
func (f *Failing) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	if err := f.before("List", states.Key{}); err != nil {
		return nil, err
	}
	return f.Memory.List(ctx, tenant, subject)
}
