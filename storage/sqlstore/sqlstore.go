// Package sqlstore keeps entries in a SQL database: SQLite for several
// processes of one machine (OpenSQLite), PostgreSQL for replicas on several
// (OpenPostgres). Both have the same schema and the same statements.
//
// Each operation is one atomic statement or transaction. Leases and expiry run
// on the database's clock. Generations come from a sequence of the database,
// which never repeats, whatever was deleted or rolled back.
//
// The values are kept as they come: package sealed encrypts them. Who has
// entries stands in the column "key" in the clear.
package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// Store is a database. It is a storage.Store, a storage.Lister and a
// storage.OwnerLister.
type Store struct {
	db     database
	s      statements
	writes atomic.Uint64
}

// database runs statements of either dialect.
type database interface {
	// read runs a query and calls each for every row.
	read(ctx context.Context, query string, args []any, each func(scan func(...any) error) error) error
	// write runs one statement that may draw a number, in a transaction of its
	// own, and scans the one row that it returns, if it does.
	write(ctx context.Context, statement string, args []any, dest ...any) (found bool, err error)
	close() error
}

// schemaVersion is what the table stile_schema says.
const schemaVersion = 1

// A dialect is what differs: how the statements below are completed.
type dialect struct {
	now     string // the database's clock in Unix milliseconds, read anew in each statement
	number  string // a number that was never drawn before
	greater string // the greater of two numbers
	holder  string // how a parameter is written, before its index
}

type statements struct {
	get, putNew, putOver, remove, exists, lease, release, list, owners, purge, purgeLeases string
}

const live = `(expires IS NULL OR expires > {now})`

func (d dialect) statements() statements {
	fill := strings.NewReplacer("{now}", d.now, "{number}", d.number, "{greater}", d.greater, "?", d.holder).Replace
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
func (s *Store) Close() error { return s.db.close() }

// failed says that an error is the database's, and of what.
func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlstore: %s: %w", what, err)
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
	err := s.db.read(ctx, s.s.get, []any{storage.KeyID(key)}, func(scan func(...any) error) error {
		found = true
		return scan(&e.Value, &gen, &expires, &of)
	})
	switch {
	case err != nil:
		return storage.Entry{}, failed("get", err)
	case !found:
		return storage.Entry{}, storage.ErrNotFound
	case !bytes.Equal(of, storage.EncodeKey(key)):
		return storage.Entry{}, &storage.UnreadableError{Key: key, Where: "row " + storage.KeyID(key), Generation: states.Generation(gen),
			Err: errors.New("the row holds another entry")}
	}
	e.Generation = states.Generation(gen)
	if expires != 0 {
		e.Expires = time.UnixMilli(expires).UTC()
	}
	return e, nil
}

// expiry gives the column's value: NULL for never. The epoch itself, which
// reads as never, lies behind just as a millisecond before does.
func expiry(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	if ms := t.UnixMilli(); ms != 0 {
		return ms
	}
	return int64(-1)
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
		o := storage.Owner{Tenant: key.Tenant, Subject: key.Subject}
		found, err = s.db.write(ctx, s.s.putNew,
			[]any{storage.KeyID(key), storage.OwnerID(o), storage.EncodeKey(key), value, expiry(expires)}, &gen)
	} else {
		found, err = s.db.write(ctx, s.s.putOver, []any{storage.KeyID(key), int64(expected), value, expiry(expires)}, &gen)
	}
	if err != nil {
		return 0, failed("put", err)
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
		found, err := s.db.write(ctx, s.s.remove, []any{storage.KeyID(key), int64(expected)}, &gen)
		if err != nil || found {
			return failed("delete", err)
		}
	}
	there := false
	err := s.db.read(ctx, s.s.exists, []any{storage.KeyID(key)}, func(func(...any) error) error {
		there = true
		return nil
	})
	switch {
	case err != nil:
		return failed("delete", err)
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
	found, err := s.db.write(ctx, s.s.lease, []any{storage.KeyID(key), ms}, &fence)
	if err != nil {
		return storage.Lease{}, failed("lease", err)
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
	_, err := s.db.write(ctx, s.s.release, []any{storage.KeyID(key), int64(fence)}, &n)
	return failed("release", err)
}

// keys runs a query for encoded keys.
func (s *Store) keys(ctx context.Context, query string, args ...any) ([]states.Key, error) {
	var keys []states.Key
	err := s.db.read(ctx, query, args, func(scan func(...any) error) error {
		var b []byte
		if err := scan(&b); err != nil {
			return err
		}
		k, err := storage.DecodeKey(b)
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
	keys, err := s.keys(ctx, s.s.list, storage.OwnerID(storage.Owner{Tenant: tenant, Subject: subject}))
	storage.SortKeys(keys)
	return keys, failed("list", err)
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
	storage.SortOwners(owners)
	return owners, failed("owners", err)
}

// Purge removes expired entries and the records of leases that ended a day ago.
// Writers do the same by the way; calling it is never necessary.
func (s *Store) Purge(ctx context.Context) error {
	for _, statement := range []string{s.s.purge, s.s.purgeLeases} {
		if _, err := s.db.write(ctx, statement, nil); err != nil {
			return failed("purge", err)
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
