// Package redisstore keeps entries in Redis (7 or newer, or a server that speaks
// like it), for replicas on several machines:
//
//	inner, err := redisstore.Open(ctx, "rediss://:password@host:6379/0")
//	store, notice, err := keyringstore.Seal(ctx, inner, keyringstore.Options{KeyFile: "/etc/app/sealing.key"})
//
// # Guarantees
//
// Each operation is one script; leases and expiry run on the server's clock.
//
// All keys of one owner (tenant and subject) share a hash tag, so that a script
// finds what it needs on one node of a cluster, and owners spread over the
// nodes. The names of keys are hashes; the values say in the clear who has
// entries. Package sealed encrypts what matters.
//
// What is kept is as durable as the server is configured to make it: a server
// that loses its last seconds when it dies (appendonly no) may lose a rotated
// refresh token, which costs its user a login; one that evicts keys
// (maxmemory-policy other than noeviction) is not a store; and a failover to a
// replica that lags behind may take back what was answered.
//
// # Who should not use it
//
// A program of one user, and anybody whose server is a cache that may evict.
package redisstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// Store is a Redis server or cluster. It is a storage.Store and has all its
// optional interfaces.
type Store struct {
	client goredis.UniversalClient
	prefix string
	slots  *backend.Slots
	listen listener
}

// Option changes how Open and New build.
type Option func(*Store)

// Prefix is what the names of all keys begin with; "stile:" by default. It may
// not hold braces, which would move the hash tag.
func Prefix(p string) Option { return func(s *Store) { s.prefix = p } }

// quiet turns off what go-redis writes to standard error, for the whole process:
// go-redis has no logger for a single client.
var quiet = sync.OnceFunc(logging.Disable)

// Open connects to the server at url: redis://, rediss:// (TLS) or unix://, as
// go-redis reads them; redis+cluster:// and rediss+cluster:// name a node of a
// cluster (further nodes by addr=host:port). No error shows the password.
//
// go-redis logs to standard error by default. Open turns that off; a program that
// wants it calls redis.SetLogger afterwards.
func Open(ctx context.Context, url string, opts ...Option) (*Store, error) {
	quiet()
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

// poolWait is how long a call waits for a pooled connection unless its context
// ends sooner: longer than anybody waits.
const poolWait = time.Hour

func connect(url string) (goredis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(url, "+cluster://")
	if rest == "" {
		o, err := goredis.ParseURL(url)
		if err != nil {
			return nil, err
		}
		o.ContextTimeoutEnabled = true
		if o.PoolTimeout == 0 {
			o.PoolTimeout = poolWait
		}
		return goredis.NewClient(o), nil
	}
	o, err := goredis.ParseClusterURL(scheme + "://" + rest)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled = true
	if o.PoolTimeout == 0 {
		o.PoolTimeout = poolWait
	}
	return goredis.NewClusterClient(o), nil
}

// New makes a store from an existing client, which must not read from replicas.
func New(client goredis.UniversalClient, opts ...Option) (*Store, error) {
	s := &Store{client: client, prefix: "stile:", slots: backend.NewSlots(poolSize(client))}
	for _, o := range opts {
		o(s)
	}
	if strings.ContainsAny(s.prefix, "{}") {
		return nil, errors.New("redisstore: a prefix has no braces")
	}
	return s, nil
}

func poolSize(client goredis.UniversalClient) int {
	switch c := client.(type) {
	case *goredis.Client:
		return c.Options().PoolSize
	case *goredis.ClusterClient:
		return c.Options().PoolSize
	}
	return 10
}

// Queue implements storage.Queuer.
func (s *Store) Queue(ctx context.Context, urgent bool) (done func(), err error) {
	return s.slots.Take(ctx, urgent)
}

// Close ends all connections.
func (s *Store) Close() error {
	s.listen.close()
	return s.client.Close()
}

// names are the Redis keys of one entry.
type names struct{ id, entry, lease, deleted, index, number string }

func (s *Store) names(k states.Key) names {
	id, base := backend.KeyID(k), s.base(k.Tenant, k.Subject)
	return names{
		id: id, entry: base + "entry:" + id, lease: base + "lease:" + id, deleted: base + "deleted:" + id,
		index: base + "index", number: base + "number",
	}
}

func (s *Store) base(tenant, subject string) string {
	return s.prefix + "{" + backend.OwnerID(tenant, subject)[:32] + "}:"
}

func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redisstore: %s: %w", what, err)
}

// await returns when the context ends, which the client by itself does only at a
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
		if end, ok := ctx.Deadline(); r.err != nil && ok && !time.Now().Before(end) {
			<-ctx.Done() // the client's own timer was a moment earlier
		}
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
	e, _, err := s.GetHeld(ctx, key)
	return e, err
}

// GetHeld implements storage.HeldGetter.
func (s *Store) GetHeld(ctx context.Context, key states.Key) (e storage.Entry, held bool, err error) {
	n := s.names(key)
	var fields *goredis.MapStringStringCmd
	var leases *goredis.IntCmd
	_, err = await(ctx, func() ([]goredis.Cmder, error) {
		return s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
			fields, leases = p.HGetAll(ctx, n.entry), p.Exists(ctx, n.lease)
			return nil
		})
	})
	if err != nil {
		return storage.Entry{}, false, failed("get", err)
	}
	e, err = entry(key, n, fields.Val())
	return e, leases.Val() > 0, err
}

// entry reads the fields of an entry's hash.
func entry(key states.Key, n names, fields map[string]string) (storage.Entry, error) {
	if len(fields) == 0 {
		return storage.Entry{}, storage.ErrNotFound
	}
	gen, err1 := strconv.ParseUint(fields["generation"], 10, 64)
	expires, err2 := strconv.ParseInt(fields["expires"], 10, 64)
	e := storage.Entry{Value: []byte(fields["value"]), Generation: states.Generation(gen), Expires: backend.ExpiryTime(expires)}
	var foreign error
	if !bytes.Equal([]byte(fields["key"]), backend.EncodeKey(key)) {
		foreign = errors.New("the hash holds another entry")
	}
	if reason := errors.Join(err1, err2, foreign); reason != nil {
		return storage.Entry{}, &storage.UnreadableError{Key: key, Where: n.entry, Generation: e.Generation, Err: reason}
	}
	return e, nil
}

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	return s.PutAndRelease(ctx, key, value, expected, expires, 0)
}

// PutAndRelease implements storage.PutReleaser.
func (s *Store) PutAndRelease(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time, fence uint64) (states.Generation, error) {
	n := s.names(key)
	said, err := s.run(ctx, putScript, []string{n.entry, n.lease, n.index, n.number}, s.channel(), n.id,
		decimal(expected), rand.Text(), backend.EncodeKey(key), backend.ExpiryMillis(expires), value, decimal(fence))
	if err != nil {
		return 0, failed("put", err)
	}
	if said == saysConflict {
		return 0, storage.ErrConflict
	}
	gen, err := strconv.ParseUint(said, 10, 64)
	return states.Generation(gen), failed("put", err)
}

func decimal[N ~uint64](n N) string { return strconv.FormatUint(uint64(n), 10) }

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, key states.Key, expected states.Generation) error {
	n := s.names(key)
	said, err := s.run(ctx, deleteScript, []string{n.entry, n.lease, n.index, n.deleted}, s.channel(), n.id,
		decimal(expected), rand.Text(), backend.EncodeKey(key))
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
