package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// Lease implements storage.Store.
func (s *Store) Lease(ctx context.Context, key states.Key, ttl time.Duration) (storage.Lease, error) {
	l, err := s.LeaseAndGet(ctx, key, ttl)
	return l.Lease, err
}

// LeaseAndGet implements storage.LeaseGetter.
func (s *Store) LeaseAndGet(ctx context.Context, key states.Key, ttl time.Duration) (storage.LeasedEntry, error) {
	if ttl <= 0 {
		return storage.LeasedEntry{}, storage.ErrLease
	}
	n, attempt, asked := s.names(key), rand.Text(), time.Now()
	said, err := await(ctx, func() ([]string, error) {
		return leaseScript.Run(ctx, s.client, []string{n.entry, n.lease, n.number},
			int64((ttl+time.Millisecond-1)/time.Millisecond), attempt).StringSlice()
	})
	switch {
	case err != nil:
		return storage.LeasedEntry{}, failed("lease", err)
	case len(said) == 1 && said[0] == saysHeld:
		return storage.LeasedEntry{}, storage.ErrHeld
	case len(said)%2 == 0:
		return storage.LeasedEntry{}, fmt.Errorf("redisstore: lease: the script gives %d values", len(said))
	}
	fence, err := strconv.ParseUint(said[0], 10, 64)
	if err != nil {
		return storage.LeasedEntry{}, failed("lease", err)
	}
	fields := map[string]string{}
	for i := 1; i < len(said); i += 2 {
		fields[said[i]] = said[i+1]
	}
	e, err := entry(key, n, fields)
	// The lease may have begun as soon as it was asked for.
	l := storage.Lease{Fence: fence, TTL: min(max(ttl-time.Since(asked), 1), ttl)}
	return storage.LeasedEntry{Lease: l, Entry: e, EntryErr: err}, nil
}

// Release implements storage.Store.
func (s *Store) Release(ctx context.Context, key states.Key, fence uint64) error {
	n := s.names(key)
	_, err := s.run(ctx, releaseScript, []string{n.lease}, s.channel(), n.id, decimal(fence))
	return failed("release", err)
}
