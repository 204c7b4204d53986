package storage

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// Memory keeps entries in this process, and loses them with it. It is a Store,
// a Lister and an OwnerLister.
type Memory struct {
	now func() time.Time

	mu      sync.Mutex
	last    uint64 // the last number given as generation or fence, of any key
	writes  int
	entries map[states.Key]Entry
	leases  map[states.Key]memoryLease
}

type memoryLease struct {
	fence uint64
	until time.Time
}

// MemoryOption changes how NewMemory builds.
type MemoryOption func(*Memory)

// Clock gives the store another clock, for tests that must not wait.
func Clock(now func() time.Time) MemoryOption { return func(m *Memory) { m.now = now } }

// NewMemory returns an empty store in memory.
func NewMemory(opts ...MemoryOption) *Memory {
	m := &Memory{now: time.Now, entries: map[states.Key]Entry{}, leases: map[states.Key]memoryLease{}}
	for _, o := range opts {
		o(m)
	}
	return m
}

// sweepEvery is after how many writes the expired entries are dropped.
const sweepEvery = 1024

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
	if err := ctx.Err(); err != nil {
		return Entry{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.live(key, m.now())
	if !ok {
		return Entry{}, ErrNotFound
	}
	e.Value = bytes.Clone(e.Value)
	return e, nil
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if e, _ := m.live(key, now); e.Generation != expected {
		return 0, ErrConflict
	}
	if m.writes++; m.writes%sweepEvery == 0 {
		m.sweep(now)
	}
	m.last++
	m.entries[key] = Entry{
		Value:      append([]byte{}, value...),
		Generation: states.Generation(m.last),
		Expires:    backend.CutExpiry(expires),
	}
	return states.Generation(m.last), nil
}

// sweep drops what has expired. Numbers never repeat, whatever is dropped: they
// come from one counter for all keys.
func (m *Memory) sweep(now time.Time) {
	for k, e := range m.entries {
		if backend.Expired(e.Expires, now) {
			delete(m.entries, k)
		}
	}
	for k, l := range m.leases {
		if !l.until.After(now) {
			delete(m.leases, k)
		}
	}
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, key states.Key, expected states.Generation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.live(key, m.now())
	if !ok {
		return ErrNotFound
	}
	if e.Generation != expected {
		return ErrConflict
	}
	delete(m.entries, key)
	return nil
}

// Lease implements Store.
func (m *Memory) Lease(ctx context.Context, key states.Key, ttl time.Duration) (Lease, error) {
	if err := ctx.Err(); err != nil {
		return Lease{}, err
	}
	if ttl <= 0 {
		return Lease{}, ErrLease
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if l, ok := m.leases[key]; ok && l.until.After(now) {
		return Lease{}, ErrHeld
	}
	m.last++
	m.leases[key] = memoryLease{fence: m.last, until: now.Add(ttl)}
	return Lease{Fence: m.last, TTL: ttl}, nil
}

// Release implements Store.
func (m *Memory) Release(ctx context.Context, key states.Key, fence uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if l, ok := m.leases[key]; ok && l.fence == fence {
		delete(m.leases, key)
	}
	return nil
}

// List implements Lister.
func (m *Memory) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	var keys []states.Key
	for k, e := range m.entries {
		if k.Tenant == tenant && k.Subject == subject && !backend.Expired(e.Expires, now) {
			keys = append(keys, k)
		}
	}
	backend.SortKeys(keys)
	return keys, nil
}

// Owners implements OwnerLister.
func (m *Memory) Owners(ctx context.Context) ([]Owner, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	seen := map[Owner]bool{}
	var owners []Owner
	for k, e := range m.entries {
		o := Owner{k.Tenant, k.Subject}
		if !seen[o] && !backend.Expired(e.Expires, now) {
			seen[o] = true
			owners = append(owners, o)
		}
	}
	slices.SortFunc(owners, Owner.Compare)
	return owners, nil
}
