package redisstore

import (
	"context"
	"slices"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// List implements storage.Lister.
func (s *Store) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	keys, err := s.list(ctx, s.base(tenant, subject)+"index")
	return keys, failed("list", err)
}

func (s *Store) list(ctx context.Context, index string) ([]states.Key, error) {
	names, err := await(ctx, func() ([]string, error) { return listScript.Run(ctx, s.client, []string{index}).StringSlice() })
	if err != nil {
		return nil, err
	}
	var keys []states.Key
	for _, n := range names {
		k, err := backend.DecodeKey([]byte(n))
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	backend.SortKeys(keys)
	return keys, nil
}

// entriesAtOnce is how many entries Entries asks for in one round trip.
const entriesAtOnce = 256

// Entries implements storage.EntryLister.
func (s *Store) Entries(ctx context.Context, tenant, subject string, each func(states.Key, storage.Entry, error) error) error {
	keys, err := s.List(ctx, tenant, subject)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(keys, entriesAtOnce) {
		answers, err := await(ctx, func() ([]goredis.Cmder, error) {
			return s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
				for _, k := range some {
					p.HGetAll(ctx, s.names(k).entry)
				}
				return nil
			})
		})
		if err != nil {
			return failed("entries", err)
		}
		for i, k := range some {
			e, err := entry(k, s.names(k), answers[i].(*goredis.MapStringStringCmd).Val())
			if err := each(k, e, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// Keys implements storage.KeyLister. It walks over all keys of the server.
func (s *Store) Keys(ctx context.Context, each func(states.Key) error) error {
	var mu sync.Mutex
	seen := map[string]bool{} // a walk may return an index twice
	quoted := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(s.prefix)
	walk := func(ctx context.Context, node goredis.UniversalClient) error {
		for cursor := uint64(0); ; {
			indexes, next, err := node.Scan(ctx, cursor, quoted+"{*}:index", 1000).Result()
			if err != nil {
				return failed("keys", err)
			}
			for _, index := range indexes {
				keys, err := s.list(ctx, index)
				if err != nil {
					return failed("keys", err)
				}
				mu.Lock()
				for _, k := range keys {
					if !seen[index] && err == nil {
						err = each(k)
					}
				}
				seen[index] = true
				mu.Unlock()
				if err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	_, err := await(ctx, func() (struct{}, error) {
		if cluster, ok := s.client.(*goredis.ClusterClient); ok {
			return struct{}{}, cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error { return walk(ctx, node) })
		}
		return struct{}{}, walk(ctx, s.client)
	})
	return err
}
