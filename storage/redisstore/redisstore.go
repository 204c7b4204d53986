// Package redisstore keeps entries in Redis (7 or newer, or what speaks like
// it), for replicas on several machines. Each operation is one script; leases
// and expiry run on the server's clock.
//
// All keys of one owner (tenant and subject) share a hash tag, so that a script
// finds what it needs on one node of a cluster, and owners spread over the
// nodes. The names of keys are hashes; who has entries stands in the values in
// the clear. Package sealed encrypts what matters.
//
// What is kept is as lasting as the server is told to make it: a server that
// loses its last seconds when it dies (appendonly no) may lose a rotated
// refresh token, which costs its user a login; one that evicts keys
// (maxmemory-policy other than noeviction) is not a store; and a failover to a
// replica that lags behind may take back what was answered.
package redisstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// Store is a Redis server or cluster. It is a storage.Store, a storage.Lister
// and a storage.OwnerLister.
type Store struct {
	client goredis.UniversalClient
	prefix string
}

// Option changes how Open and New build.
type Option func(*Store)

// Prefix is what the names of all keys begin with; "stile:" unless told
// otherwise. It may not hold braces, which would move the hash tag.
func Prefix(p string) Option { return func(s *Store) { s.prefix = p } }

// Open connects to the server at url: redis://, rediss:// (TLS) or unix://, as
// go-redis reads them; redis+cluster:// and rediss+cluster:// name a node of a
// cluster (further nodes by addr=host:port). No error shows the password.
func Open(ctx context.Context, url string, opts ...Option) (*Store, error) {
	client, err := connect(url)
	if err != nil {
		return nil, errors.New("redisstore: not the address of a Redis server; one is redis://HOST:6379/0") // and nothing of it
	}
	s, err := New(client, opts...)
	if err == nil {
		_, err = await(ctx, func() (string, error) { return client.Ping(ctx).Result() })
		err = failed("open", err)
	}
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	return s, nil
}

func connect(url string) (goredis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(url, "+cluster://")
	if rest == "" {
		o, err := goredis.ParseURL(url)
		if err != nil {
			return nil, err
		}
		o.ContextTimeoutEnabled = true
		return goredis.NewClient(o), nil
	}
	o, err := goredis.ParseClusterURL(scheme + "://" + rest)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled = true
	return goredis.NewClusterClient(o), nil
}

// New takes a client that is there already. It must not read from replicas.
func New(client goredis.UniversalClient, opts ...Option) (*Store, error) {
	s := &Store{client: client, prefix: "stile:"}
	for _, o := range opts {
		o(s)
	}
	if strings.ContainsAny(s.prefix, "{}") {
		return nil, errors.New("redisstore: a prefix has no braces")
	}
	return s, nil
}

// Close ends all connections.
func (s *Store) Close() error { return s.client.Close() }

// names are the Redis keys of one entry.
type names struct{ entry, lease, deleted, index, number string }

func (s *Store) names(k states.Key) names {
	id, base := backend.KeyID(k), s.base(storage.Owner{Tenant: k.Tenant, Subject: k.Subject})
	return names{
		entry: base + "entry:" + id, lease: base + "lease:" + id, deleted: base + "deleted:" + id,
		index: base + "index", number: base + "number",
	}
}

func (s *Store) base(o storage.Owner) string {
	return s.prefix + "{" + backend.OwnerID(o.Tenant, o.Subject)[:32] + "}:"
}

func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redisstore: %s: %w", what, err)
}

// await ends when the context does, which the client by itself does only at a
// deadline. A call that is left behind ends at the client's own time limit.
func await[T any](ctx context.Context, call func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := call()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		if err := ctx.Err(); r.err != nil && err != nil {
			return none, err
		}
		return r.v, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// run runs a script that answers with a text.
func (s *Store) run(ctx context.Context, script *goredis.Script, keys []string, args ...any) (string, error) {
	return await(ctx, func() (string, error) { return script.Run(ctx, s.client, keys, args...).Text() })
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, key states.Key) (storage.Entry, error) {
	fields, err := await(ctx, func() (map[string]string, error) { return s.client.HGetAll(ctx, s.names(key).entry).Result() })
	if err != nil {
		return storage.Entry{}, failed("get", err)
	}
	if len(fields) == 0 {
		return storage.Entry{}, storage.ErrNotFound
	}
	gen, err1 := strconv.ParseUint(fields["generation"], 10, 64)
	expires, err2 := strconv.ParseInt(fields["expires"], 10, 64)
	e := storage.Entry{Value: []byte(fields["value"]), Generation: states.Generation(gen)}
	if expires != 0 {
		e.Expires = time.UnixMilli(expires).UTC()
	}
	reason := errors.Join(err1, err2)
	if reason == nil && !bytes.Equal([]byte(fields["key"]), backend.EncodeKey(key)) {
		reason = errors.New("the hash holds another entry")
	}
	if reason != nil {
		return storage.Entry{}, &storage.UnreadableError{Key: key, Where: s.names(key).entry, Generation: e.Generation, Err: reason}
	}
	return e, nil
}

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	var ms int64
	if !expires.IsZero() {
		// 0 stands for never; whatever is before 1970 is past anyhow.
		ms = max(expires.UnixMilli(), 1)
	}
	n := s.names(key)
	said, err := s.run(ctx, putScript, []string{n.entry, n.index, n.number},
		strconv.FormatUint(uint64(expected), 10), rand.Text(), ms, backend.EncodeKey(key), value)
	if err != nil {
		return 0, failed("put", err)
	}
	if said == saysConflict {
		return 0, storage.ErrConflict
	}
	gen, err := strconv.ParseUint(said, 10, 64)
	return states.Generation(gen), failed("put", err)
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, key states.Key, expected states.Generation) error {
	n := s.names(key)
	said, err := s.run(ctx, deleteScript, []string{n.entry, n.index, n.deleted},
		strconv.FormatUint(uint64(expected), 10), rand.Text(), backend.EncodeKey(key))
	switch {
	case err != nil:
		return failed("delete", err)
	case said == saysNotFound:
		return storage.ErrNotFound
	case said == saysConflict:
		return storage.ErrConflict
	case said != saysDone:
		return fmt.Errorf("redisstore: delete: the script says %q", said)
	}
	return nil
}

// Lease implements storage.Store.
func (s *Store) Lease(ctx context.Context, key states.Key, ttl time.Duration) (storage.Lease, error) {
	if err := ctx.Err(); err != nil {
		return storage.Lease{}, err
	}
	if ttl <= 0 {
		return storage.Lease{}, storage.ErrLease
	}
	n := s.names(key)
	asked := time.Now()
	said, err := s.run(ctx, leaseScript, []string{n.lease, n.number}, int64((ttl+time.Millisecond-1)/time.Millisecond), rand.Text())
	if err != nil {
		return storage.Lease{}, failed("lease", err)
	}
	if said == saysHeld {
		return storage.Lease{}, storage.ErrHeld
	}
	fence, err := strconv.ParseUint(said, 10, 64)
	if err != nil {
		return storage.Lease{}, failed("lease", err)
	}
	// The lease may have begun as early as we asked.
	return storage.Lease{Fence: fence, TTL: min(max(ttl-time.Since(asked), 1), ttl)}, nil
}

// Release implements storage.Store.
func (s *Store) Release(ctx context.Context, key states.Key, fence uint64) error {
	_, err := s.run(ctx, releaseScript, []string{s.names(key).lease}, strconv.FormatUint(fence, 10))
	return failed("release", err)
}

// List implements storage.Lister.
func (s *Store) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	keys, err := s.list(ctx, s.base(storage.Owner{Tenant: tenant, Subject: subject})+"index")
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

// Owners implements storage.OwnerLister. It walks over all keys of the server.
func (s *Store) Owners(ctx context.Context) ([]storage.Owner, error) {
	var mu sync.Mutex
	seen := map[storage.Owner]bool{}
	var owners []storage.Owner
	quoted := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(s.prefix)
	walk := func(ctx context.Context, node goredis.UniversalClient) error {
		for cursor := uint64(0); ; {
			indexes, next, err := node.Scan(ctx, cursor, quoted+"{*}:index", 1000).Result()
			if err != nil {
				return err
			}
			for _, index := range indexes {
				keys, err := s.list(ctx, index)
				if err != nil {
					return err
				}
				mu.Lock()
				for _, k := range keys[:min(1, len(keys))] {
					// A walk may come by twice.
					if o := (storage.Owner{Tenant: k.Tenant, Subject: k.Subject}); !seen[o] {
						seen[o] = true
						owners = append(owners, o)
					}
				}
				mu.Unlock()
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
	if err != nil {
		return nil, failed("owners", err)
	}
	slices.SortFunc(owners, storage.Owner.Compare)
	return owners, nil
}
