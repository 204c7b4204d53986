package storage

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// Memory keeps entries in this process, and loses them with it. It is a Store,
// a Lister, a KeyLister, a LeaseGetter, a HeldGetter, a PutReleaser and a
// Watcher. Each call drops a few entries that have expired, so that no call pays
// for many.
type Memory struct {
	now      func() time.Time
	watchers backend.Watchers

	mu       sync.Mutex
	last     uint64 // the last number given as generation or fence, of any key
	entries  map[states.Key]Entry
	leases   map[states.Key]memoryLease
	expiring backend.Expiries[states.Key] // of entries
	ending   backend.Expiries[states.Key] // of leases
}

type memoryLease struct {
	fence uint64
	until time.Time
}

// MemoryOption changes how NewMemory builds.
type MemoryOption func(*Memory)

// Clock gives the store another clock than time.Now.
func Clock(now func() time.Time) MemoryOption { return func(m *Memory) { m.now = now } }

// NewMemory returns an empty store in memory.
func NewMemory(opts ...MemoryOption) *Memory {
	m := &Memory{now: time.Now, entries: map[states.Key]Entry{}, leases: map[states.Key]memoryLease{}}
	for _, o := range opts {
		o(m)
	}
	return m
}

// sweepAtOnce is how many expired entries, and leases, a call drops at most.
const sweepAtOnce = 4

// begin locks the store for one call, and gives the time. Numbers never repeat,
// whatever is dropped: they come from one counter for all keys.
func (m *Memory) begin(ctx context.Context) (now time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return now, err
	}
	m.mu.Lock()
	now = m.now()
	for range sweepAtOnce {
		if k, ok := m.expiring.Expired(now); ok {
			delete(m.entries, k)
		}
		if k, ok := m.ending.Expired(now); ok {
			delete(m.leases, k)
		}
	}
	return now, nil
}

// live returns the entry of key unless it has expired. m.mu is held.
func (m *Memory) live(key states.Key, now time.Time) (Entry, bool) {
	e, ok := m.entries[key]
	if !ok || backend.Expired(e.Expires, now) {
		return Entry{}, false
	}
	return e, true
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, key states.Key) (Entry, error) {
	e, _, err := m.GetHeld(ctx, key)
	return e, err
}

// GetHeld implements HeldGetter.
func (m *Memory) GetHeld(ctx context.Context, key states.Key) (e Entry, held bool, err error) {
	now, err := m.begin(ctx)
	if err != nil {
		return Entry{}, false, err
	}
	defer m.mu.Unlock()
	e, err = m.get(key, now)
	return e, m.held(key, now), err
}

func (m *Memory) held(key states.Key, now time.Time) bool {
	l, ok := m.leases[key]
	return ok && l.until.After(now)
}

func (m *Memory) get(key states.Key, now time.Time) (Entry, error) {
	e, ok := m.live(key, now)
	if !ok {
		return Entry{}, ErrNotFound
	}
	e.Value = bytes.Clone(e.Value)
	return e, nil
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	return m.PutAndRelease(ctx, key, value, expected, expires, 0)
}

// PutAndRelease implements PutReleaser.
func (m *Memory) PutAndRelease(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time, fence uint64) (states.Generation, error) {
	now, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	if e, _ := m.live(key, now); e.Generation != expected {
		return 0, ErrConflict
	}
	m.last++
	e := Entry{Value: append([]byte{}, value...), Generation: states.Generation(m.last), Expires: backend.CutExpiry(expires)}
	m.entries[key] = e
	m.expiring.Set(key, e.Expires)
	m.release(key, fence)
	m.changed(key, now)
	return e.Generation, nil
}

// changed tells those who watch the key; while somebody is at work under a lease,
// they are told only at its end.
func (m *Memory) changed(key states.Key, now time.Time) {
	if m.watchers.Watched() && !m.held(key, now) {
		m.watchers.Notify(watched(key))
	}
}

func watched(key states.Key) string { return string(backend.EncodeKey(key)) }

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, key states.Key, expected states.Generation) error {
	now, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	e, ok := m.live(key, now)
	if !ok {
		return ErrNotFound
	}
	if e.Generation != expected {
		return ErrConflict
	}
	delete(m.entries, key)
	m.expiring.Set(key, time.Time{})
	m.changed(key, now)
	return nil
}

// Lease implements Store.
func (m *Memory) Lease(ctx context.Context, key states.Key, ttl time.Duration) (Lease, error) {
	l, err := m.LeaseAndGet(ctx, key, ttl)
	return l.Lease, err
}

// LeaseAndGet implements LeaseGetter.
func (m *Memory) LeaseAndGet(ctx context.Context, key states.Key, ttl time.Duration) (LeasedEntry, error) {
	if ttl <= 0 {
		return LeasedEntry{}, ErrLease
	}
	now, err := m.begin(ctx)
	if err != nil {
		return LeasedEntry{}, err
	}
	defer m.mu.Unlock()
	if m.held(key, now) {
		return LeasedEntry{}, ErrHeld
	}
	m.last++
	l := memoryLease{fence: m.last, until: now.Add(ttl)}
	m.leases[key] = l
	m.ending.Set(key, l.until)
	e, err := m.get(key, now)
	return LeasedEntry{Lease{Fence: l.fence, TTL: ttl}, e, err}, nil
}

// Release implements Store.
func (m *Memory) Release(ctx context.Context, key states.Key, fence uint64) error {
	if _, err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if m.release(key, fence) && m.watchers.Watched() {
		m.watchers.Notify(watched(key))
	}
	return nil
}

func (m *Memory) release(key states.Key, fence uint64) bool {
	if l, ok := m.leases[key]; !ok || l.fence != fence {
		return false
	}
	delete(m.leases, key)
	m.ending.Set(key, time.Time{})
	return true
}

// Watch implements Watcher.
func (m *Memory) Watch(key states.Key) (changed <-chan struct{}, stop func()) {
	return m.watchers.Add(watched(key))
}

// Keys implements KeyLister.
func (m *Memory) Keys(ctx context.Context, each func(states.Key) error) error {
	now, err := m.begin(ctx)
	if err != nil {
		return err
	}
	var keys []states.Key
	for k, e := range m.entries {
		if !backend.Expired(e.Expires, now) {
			keys = append(keys, k)
		}
	}
	m.mu.Unlock()
	for _, k := range keys {
		if err := each(k); err != nil {
			return err
		}
	}
	return nil
}

// List implements Lister.
func (m *Memory) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	var keys []states.Key
	err := m.Keys(ctx, func(k states.Key) error {
		if k.Tenant == tenant && k.Subject == subject {
			keys = append(keys, k)
		}
		return nil
	})
	backend.SortKeys(keys)
	return keys, err
}
