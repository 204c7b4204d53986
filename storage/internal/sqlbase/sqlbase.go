// Package sqlbase is what packages sqlitestore and pgstore share: one schema and
// the same statements in two dialects.
//
// Each operation is one atomic statement or transaction. Leases and expiry run
// on the database's clock. Generations come from a counter of the database,
// which never repeats, whatever was deleted or rolled back.
package sqlbase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// Store is a database. It is a storage.Store, a storage.Lister and a
// storage.OwnerLister.
type Store struct {
	name   string // the package, which begins every error
	db     Database
	s      statements
	writes atomic.Uint64
}

// New returns a store over db whose errors begin with name.
func New(name string, db Database, d Dialect) *Store {
	return &Store{name: name, db: db, s: d.statements()}
}

// Database runs statements of either dialect.
type Database interface {
	// Read runs a query and calls each for every row.
	Read(ctx context.Context, query string, args []any, each func(scan func(...any) error) error) error
	// Write runs one statement that may draw a number, in a transaction of its
	// own, and scans the one row that it returns, if it does.
	Write(ctx context.Context, statement string, args []any, dest ...any) (found bool, err error)
	Close() error
}

// schemaVersion is what the table stile_schema says.
const schemaVersion = 1

// CheckVersion refuses a schema that this version does not know.
func CheckVersion(version int) error {
	if version != schemaVersion {
		return fmt.Errorf("the schema is of version %d, which this version does not know; nothing was changed", version)
	}
	return nil
}

// Dialect completes the statements below.
type Dialect struct {
	Now     string // the database's clock in Unix milliseconds, read anew in each statement
	Number  string // a number that was never drawn before
	Greater string // the greater of two numbers
	Param   string // how a parameter is written, before its index
}

type statements struct {
	get, putNew, putOver, remove, exists, lease, release, list, owners, purge, purgeLeases string
}

const live = `(expires IS NULL OR expires > {now})`

func (d Dialect) statements() statements {
	fill := strings.NewReplacer("{now}", d.Now, "{number}", d.Number, "{greater}", d.Greater, "?", d.Param).Replace
	return statements{
		get: fill(`SELECT value, generation, COALESCE(expires, 0), key FROM stile_entry WHERE id = ?1 AND ` + live),
		putNew: fill(`INSERT INTO stile_entry (id, owner, key, value, generation, expires)
			VALUES (?1, ?2, ?3, ?4, {number}, ?5)
			ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, key = excluded.key, value = excluded.value,
				generation = excluded.generation, expires = excluded.expires
			WHERE stile_entry.expires IS NOT NULL AND stile_entry.expires <= {now}
			RETURNING generation`),
		putOver: fill(`UPDATE stile_entry SET value = ?3, generation = {number}, expires = ?4
			WHERE id = ?1 AND generation = ?2 AND ` + live + ` RETURNING generation`),
		remove: fill(`DELETE FROM stile_entry WHERE id = ?1 AND generation = ?2 AND ` + live + ` RETURNING generation`),
		exists: fill(`SELECT generation FROM stile_entry WHERE id = ?1 AND ` + live),
		// The fence of a key grows even if its number was drawn before that of a
		// lease which came first.
		lease: fill(`INSERT INTO stile_lease (id, fence, ends) VALUES (?1, {number}, {now} + ?2)
			ON CONFLICT (id) DO UPDATE SET fence = {greater}(stile_lease.fence + 1, excluded.fence), ends = {now} + ?2
			WHERE stile_lease.ends <= {now}
			RETURNING fence`),
		release: fill(`UPDATE stile_lease SET ends = 0 WHERE id = ?1 AND fence = ?2 RETURNING fence`),
		list:    fill(`SELECT key FROM stile_entry WHERE owner = ?1 AND ` + live),
		owners: fill(`SELECT key FROM stile_entry WHERE id IN
			(SELECT MIN(id) FROM stile_entry WHERE ` + live + ` GROUP BY owner)`),
		purge: fill(`DELETE FROM stile_entry WHERE expires <= {now}`),
		// One day after its end nobody still draws a number for this lease.
		purgeLeases: fill(`DELETE FROM stile_lease WHERE ends < {now} - 86400000`),
	}
}

// Close ends all connections.
func (s *Store) Close() error { return s.db.Close() }

// failed says that an error is the database's, and in which operation.
func (s *Store) failed(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", s.name, operation, err)
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, key states.Key) (storage.Entry, error) {
	if err := ctx.Err(); err != nil {
		return storage.Entry{}, err
	}
	var e storage.Entry
	var gen, expires int64
	var of []byte
	found := false
	err := s.db.Read(ctx, s.s.get, []any{backend.KeyID(key)}, func(scan func(...any) error) error {
		found = true
		return scan(&e.Value, &gen, &expires, &of)
	})
	switch {
	case err != nil:
		return storage.Entry{}, s.failed("get", err)
	case !found:
		return storage.Entry{}, storage.ErrNotFound
	case !bytes.Equal(of, backend.EncodeKey(key)):
		return storage.Entry{}, &storage.UnreadableError{Key: key, Where: "row " + backend.KeyID(key), Generation: states.Generation(gen),
			Err: errors.New("the row holds another entry")}
	}
	e.Generation, e.Expires = states.Generation(gen), backend.ExpiryTime(expires)
	return e, nil
}

// expiry gives the column's value: NULL for never.
func expiry(t time.Time) any {
	if ms := backend.ExpiryMillis(t); ms != 0 {
		return ms
	}
	return nil
}

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if expected > math.MaxInt64 {
		return 0, storage.ErrConflict
	}
	value = append([]byte{}, value...) // NULL is not a value
	var gen int64
	var found bool
	var err error
	if expected == 0 {
		found, err = s.db.Write(ctx, s.s.putNew,
			[]any{backend.KeyID(key), backend.OwnerID(key.Tenant, key.Subject), backend.EncodeKey(key), value, expiry(expires)}, &gen)
	} else {
		found, err = s.db.Write(ctx, s.s.putOver, []any{backend.KeyID(key), int64(expected), value, expiry(expires)}, &gen)
	}
	if err != nil {
		return 0, s.failed("put", err)
	}
	if !found {
		return 0, storage.ErrConflict
	}
	s.tidy(ctx)
	return states.Generation(gen), nil
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, key states.Key, expected states.Generation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if expected <= math.MaxInt64 {
		var gen int64
		found, err := s.db.Write(ctx, s.s.remove, []any{backend.KeyID(key), int64(expected)}, &gen)
		if err != nil || found {
			return s.failed("delete", err)
		}
	}
	there := false
	err := s.db.Read(ctx, s.s.exists, []any{backend.KeyID(key)}, func(func(...any) error) error {
		there = true
		return nil
	})
	switch {
	case err != nil:
		return s.failed("delete", err)
	case there:
		return storage.ErrConflict
	}
	return storage.ErrNotFound
}

// Lease implements storage.Store.
func (s *Store) Lease(ctx context.Context, key states.Key, ttl time.Duration) (storage.Lease, error) {
	if err := ctx.Err(); err != nil {
		return storage.Lease{}, err
	}
	if ttl <= 0 {
		return storage.Lease{}, storage.ErrLease
	}
	ms := int64((ttl + time.Millisecond - 1) / time.Millisecond)
	asked := time.Now()
	var fence int64
	found, err := s.db.Write(ctx, s.s.lease, []any{backend.KeyID(key), ms}, &fence)
	if err != nil {
		return storage.Lease{}, s.failed("lease", err)
	}
	if !found {
		return storage.Lease{}, storage.ErrHeld
	}
	// The lease may have begun as early as we asked.
	return storage.Lease{Fence: uint64(fence), TTL: min(max(ttl-time.Since(asked), 1), ttl)}, nil
}

// Release implements storage.Store.
func (s *Store) Release(ctx context.Context, key states.Key, fence uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if fence > math.MaxInt64 {
		return nil
	}
	var n int64
	_, err := s.db.Write(ctx, s.s.release, []any{backend.KeyID(key), int64(fence)}, &n)
	return s.failed("release", err)
}

// keys runs a query for encoded keys.
func (s *Store) keys(ctx context.Context, query string, args ...any) ([]states.Key, error) {
	var keys []states.Key
	err := s.db.Read(ctx, query, args, func(scan func(...any) error) error {
		var b []byte
		if err := scan(&b); err != nil {
			return err
		}
		k, err := backend.DecodeKey(b)
		if err != nil {
			return err
		}
		keys = append(keys, k)
		return nil
	})
	return keys, err
}

// List implements storage.Lister.
func (s *Store) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	keys, err := s.keys(ctx, s.s.list, backend.OwnerID(tenant, subject))
	backend.SortKeys(keys)
	return keys, s.failed("list", err)
}

// Owners implements storage.OwnerLister.
func (s *Store) Owners(ctx context.Context) ([]storage.Owner, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	keys, err := s.keys(ctx, s.s.owners)
	var owners []storage.Owner
	for _, k := range keys {
		owners = append(owners, storage.Owner{Tenant: k.Tenant, Subject: k.Subject})
	}
	slices.SortFunc(owners, storage.Owner.Compare)
	return owners, s.failed("owners", err)
}

// Purge removes expired entries and the records of leases that ended a day ago.
// Writers do the same by the way; calling it is never necessary.
func (s *Store) Purge(ctx context.Context) error {
	for _, statement := range []string{s.s.purge, s.s.purgeLeases} {
		if _, err := s.db.Write(ctx, statement, nil); err != nil {
			return s.failed("purge", err)
		}
	}
	return nil
}

// purgeEvery is after how many writes of this process one purges.
const purgeEvery = 512

func (s *Store) tidy(ctx context.Context) {
	if s.writes.Add(1)%purgeEvery == 0 {
		_ = s.Purge(ctx) // what stays is removed next time; the write itself is done
	}
}
