package secretstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/secretstore"
	"github.com/stile-oauth/stile/storage/storetest"
)

// provider is a provider in memory, which can be out of order.
type provider struct {
	mu     sync.Mutex
	lock   chan struct{}
	values map[string]string
	broken error
}

func newProvider() *provider {
	return &provider{lock: make(chan struct{}, 1), values: map[string]string{}}
}

func (p *provider) Get(_ context.Context, name string) (string, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.values[name]
	return v, ok, p.broken
}

func (p *provider) Put(_ context.Context, name, value string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken == nil {
		p.values[name] = value
	}
	return p.broken
}

func (p *provider) Delete(_ context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.values, name)
	return p.broken
}

func (p *provider) Lock(ctx context.Context) (func(), error) {
	select {
	case p.lock <- struct{}{}:
		return func() { <-p.lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// The store keeps the contract.
func TestContract(t *testing.T) {
	at, mu := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC), sync.Mutex{}
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	open := func(p *provider) storage.Store { return secretstore.New(p, secretstore.Clock(now)) }
	storetest.Run(t, func(*testing.T) storage.Store { return open(newProvider()) },
		storetest.Clock(now, func(d time.Duration) { mu.Lock(); defer mu.Unlock(); at = at.Add(d) }),
		storetest.NoLister(),
		storetest.Pair(func(*testing.T) (storage.Store, storage.Store) {
			p := newProvider()
			return open(p), open(p)
		}),
		storetest.Broken(func(*testing.T) storage.Store {
			p := newProvider()
			p.broken = errors.New("the vault is sealed")
			return open(p)
		}))
}

// What has expired is removed, names tell nothing, and a string of another key is
// noticed.
func TestWhatTheProviderHolds(t *testing.T) {
	p := newProvider()
	now := time.Now()
	s := secretstore.New(p, secretstore.Clock(func() time.Time { return now }))
	key := func(name string) states.Key {
		return states.Key{Kind: states.KindLogin, Tenant: "acme", Subject: "ada", Name: name}
	}
	for _, name := range []string{"one", "two"} {
		if _, err := s.Put(t.Context(), key(name), []byte("v"), 0, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for name := range p.values {
		if strings.Contains(name, "ada") || strings.Contains(name, "acme") {
			t.Errorf("the name %s tells whose it is", name)
		}
		if name != "stile-book" {
			names = append(names, name)
		}
	}
	p.values[names[0]], p.values[names[1]] = p.values[names[1]], p.values[names[0]]
	var unreadable *storage.UnreadableError
	if _, err := s.Get(t.Context(), key("one")); !errors.As(err, &unreadable) {
		t.Errorf("a string under a wrong name: %v", err)
	}
	now = now.Add(time.Hour)
	if _, err := s.Put(t.Context(), key("three"), nil, 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if len(p.values) != 2 {
		t.Errorf("%d strings are left", len(p.values))
	}
}
