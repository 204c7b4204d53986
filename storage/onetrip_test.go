package storage_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// counting notes each call, as one round trip.
type counting struct {
	bare
	calls []string
}

func (c *counting) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	c.calls = append(c.calls, "get")
	return c.bare.Get(ctx, k)
}

func (c *counting) Put(ctx context.Context, k states.Key, v []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	c.calls = append(c.calls, "put")
	return c.bare.Put(ctx, k, v, expected, expires)
}

func (c *counting) Lease(ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
	c.calls = append(c.calls, "lease")
	return c.bare.Lease(ctx, k, ttl)
}

func (c *counting) Release(ctx context.Context, k states.Key, fence uint64) error {
	c.calls = append(c.calls, "release")
	return c.bare.Release(ctx, k, fence)
}

// combining is a store that can do several things in one round trip.
type combining struct{ *counting }

func (c combining) LeaseAndGet(ctx context.Context, k states.Key, ttl time.Duration) (storage.LeasedEntry, error) {
	c.calls = append(c.calls, "lease+get")
	return c.s.LeaseAndGet(ctx, k, ttl)
}

func (c combining) GetHeld(ctx context.Context, k states.Key) (storage.Entry, bool, error) {
	c.calls = append(c.calls, "get+held")
	return c.s.GetHeld(ctx, k)
}

func (c combining) PutAndRelease(ctx context.Context, k states.Key, v []byte, expected states.Generation, expires time.Time, fence uint64) (states.Generation, error) {
	c.calls = append(c.calls, "put+release")
	return c.s.PutAndRelease(ctx, k, v, expected, expires, fence)
}

func (c combining) Entries(ctx context.Context, tenant, subject string, each func(states.Key, storage.Entry, error) error) error {
	c.calls = append(c.calls, "entries")
	return storage.Entries(ctx, c.s, tenant, subject, each)
}

func (c combining) Queue(context.Context, bool) (done func(), err error) {
	c.calls = append(c.calls, "queue")
	return func() { c.calls = append(c.calls, "done") }, nil
}

// TestRoundTrips: a store that can do several things at once is asked once.
func TestRoundTrips(t *testing.T) {
	ctx := t.Context()
	plain := &counting{bare: bare{storage.NewMemory()}}
	able := combining{&counting{bare: bare{storage.NewMemory()}}}
	for _, c := range []struct {
		s    storage.Store
		of   *counting
		want []string
	}{
		{plain, plain, []string{"lease", "get", "put", "release", "get"}},
		{able, able.counting, []string{"queue", "lease+get", "put+release", "get+held", "entries", "done"}},
	} {
		k := keyOf("u", "a")
		done, err := storage.Queue(ctx, c.s, true)
		if err != nil {
			t.Fatal(err)
		}
		l, err := storage.LeaseAndGet(ctx, c.s, k, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := storage.PutAndRelease(ctx, c.s, k, []byte("v"), 0, time.Time{}, l.Lease.Fence); err != nil {
			t.Fatal(err)
		}
		if _, _, err := storage.GetHeld(ctx, c.s, k); err != nil {
			t.Fatal(err)
		}
		// A store that cannot list says so; TestEntriesOfAnOwner has the errors.
		_ = storage.Entries(ctx, c.s, "", "u", func(states.Key, storage.Entry, error) error { return nil })
		done()
		if !slices.Equal(c.of.calls, c.want) {
			t.Errorf("%T is asked %v, want %v", c.s, c.of.calls, c.want)
		}
	}
}

// slowly is a store whose reads take a time.
type slowly struct {
	bare
	takes time.Duration
}

func (s slowly) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	time.Sleep(s.takes)
	return s.bare.Get(ctx, k)
}

// TestLeaseRunsWhileReading: what a read under a lease takes is not left of the lease.
func TestLeaseRunsWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowly{bare{storage.NewMemory()}, 20 * time.Second}
		l, err := storage.LeaseAndGet(t.Context(), s, keyOf("u", "a"), time.Minute)
		if err != nil || l.Lease.TTL != 40*time.Second {
			t.Errorf("%v is left, %v", l.Lease.TTL, err)
		}
	})
}
