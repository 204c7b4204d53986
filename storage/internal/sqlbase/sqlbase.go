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
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// Store is a database. It is a storage.Store and has all its optional interfaces
// but storage.Watcher and storage.Queuer.
//
// A generation or a fence beyond the database's numbers becomes a negative one, which
// is never drawn: nothing has it.
type Store struct {
	name   string // the package, which begins every error
	db     Database
	s      statements
	tells  bool // a write returns a second column, of Dialect.Notify
	writes atomic.Uint64
	stop   func() // ends the sweeping
}

// New returns a store over db whose errors begin with name.
func New(name string, db Database, d Dialect) *Store {
	s := &Store{name: name, db: db, s: d.statements(), tells: d.Notify != ""}
	s.stop = backend.Every(sweepEvery, func(ctx context.Context) { _ = s.purgeSome(ctx) })
	return s
}

// Database runs statements of either dialect.
type Database interface {
	// Read runs a query and calls each for every row.
	Read(ctx context.Context, query string, args []any, each func(scan func(...any) error) error) error
	// Write runs statements in one transaction and, if the database is a server, in
	// one round trip.
	Write(ctx context.Context, statements ...*Statement) error
	Close() error
}

// Rows are the rows of an answer, as database/sql and pgx give them.
type Rows interface {
	Next() bool
	Scan(...any) error
	Err() error
}

// Each calls each for every row.
func Each(rows Rows, each func(scan func(...any) error) error) error {
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Statement may draw a number and return one row.
type Statement struct {
	SQL  string
	Args []any
	// Row is where the columns of the row go; if it is empty, no row is asked for.
	Row []any
	// Found says that there was a row or, where none is asked for, that something
	// was changed.
	Found bool
}

// Close ends all connections.
func (s *Store) Close() error {
	s.stop()
	return s.db.Close()
}

// failed wraps an error of the database, with the operation that met it.
func (s *Store) failed(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", s.name, operation, err)
}

// row is where a write's row goes.
func (s *Store) row(n *int64) []any {
	if s.tells {
		return []any{n, new(any)}
	}
	return []any{n}
}

var errForeignRow = errors.New("the row holds another entry")

// entryRow is a row of an entry, as it is scanned.
type entryRow struct {
	value, key   []byte
	gen, expires int64
	held         bool
}

func (r *entryRow) dest() []any { return []any{&r.value, &r.gen, &r.expires, &r.key, &r.held} }

// entry makes an entry of a row, which must be that of its key.
func (r *entryRow) entry(key states.Key) (storage.Entry, error) {
	value, err := unsummed(r.value)
	if !bytes.Equal(r.key, backend.EncodeKey(key)) {
		err = errForeignRow
	}
	if err != nil {
		return storage.Entry{}, &storage.UnreadableError{Key: key, Where: "row " + backend.KeyID(key), Generation: states.Generation(r.gen), Err: err}
	}
	return storage.Entry{Value: value, Generation: states.Generation(r.gen), Expires: backend.ExpiryTime(r.expires)}, nil
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, key states.Key) (storage.Entry, error) {
	e, _, err := s.GetHeld(ctx, key)
	return e, err
}

// GetHeld implements storage.HeldGetter.
func (s *Store) GetHeld(ctx context.Context, key states.Key) (e storage.Entry, held bool, err error) {
	if err := ctx.Err(); err != nil {
		return storage.Entry{}, false, err
	}
	var r entryRow
	found := false
	err = s.db.Read(ctx, s.s.get, []any{backend.KeyID(key)}, func(scan func(...any) error) error {
		found = true
		return scan(r.dest()...)
	})
	switch {
	case err != nil:
		return storage.Entry{}, false, s.failed("get", err)
	case !found:
		return storage.Entry{}, false, storage.ErrNotFound
	}
	e, err = r.entry(key)
	return e, r.held, err
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
	return s.PutAndRelease(ctx, key, value, expected, expires, 0)
}

// PutAndRelease implements storage.PutReleaser.
func (s *Store) PutAndRelease(ctx context.Context, key states.Key, value []byte, expected states.Generation, expires time.Time, fence uint64) (states.Generation, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	value = summed(value)
	var gen, freed int64
	id := backend.KeyID(key)
	put := &Statement{SQL: s.s.putOver, Args: []any{id, int64(expected), value, expiry(expires)}, Row: s.row(&gen)}
	with := s.s.putOverRelease
	if expected == 0 {
		put.SQL, with = s.s.putNew, s.s.putNewRelease
		put.Args = []any{id, backend.OwnerID(key.Tenant, key.Subject), backend.EncodeKey(key), value, expiry(expires)}
	}
	statements := []*Statement{put}
	switch {
	case fence == 0:
	case s.tells:
		put.SQL, put.Args = with, append(put.Args, int64(fence))
	default:
		statements = append(statements, &Statement{SQL: s.s.releaseIfPut, Args: []any{id, int64(fence)}, Row: []any{&freed}})
	}
	if err := s.db.Write(ctx, statements...); err != nil {
		return 0, s.failed("put", err)
	}
	if !put.Found {
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
	var gen int64
	del := &Statement{SQL: s.s.remove, Args: []any{backend.KeyID(key), int64(expected)}, Row: s.row(&gen)}
	if err := s.db.Write(ctx, del); err != nil || del.Found {
		return s.failed("delete", err)
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
	l, err := s.LeaseAndGet(ctx, key, ttl)
	return l.Lease, err
}

// LeaseAndGet implements storage.LeaseGetter. The entry is read by a statement of
// its own, which sees what was written before the lease came free.
func (s *Store) LeaseAndGet(ctx context.Context, key states.Key, ttl time.Duration) (storage.LeasedEntry, error) {
	if err := ctx.Err(); err != nil {
		return storage.LeasedEntry{}, err
	}
	if ttl <= 0 {
		return storage.LeasedEntry{}, storage.ErrLease
	}
	var (
		fence, same int64
		r           entryRow
		id          = backend.KeyID(key)
		ms          = int64((ttl + time.Millisecond - 1) / time.Millisecond)
		lease       = &Statement{SQL: s.s.lease, Args: []any{id, ms}, Row: []any{&fence}}
		recount     = &Statement{SQL: s.s.recount, Args: []any{id}, Row: []any{&same}}
		get         = &Statement{SQL: s.s.get, Args: []any{id}, Row: r.dest()}
	)
	asked := time.Now()
	if err := s.db.Write(ctx, lease, recount, get); err != nil {
		return storage.LeasedEntry{}, s.failed("lease", err)
	}
	if !lease.Found {
		return storage.LeasedEntry{}, storage.ErrHeld
	}
	// The lease may have begun as soon as it was asked for.
	l := storage.LeasedEntry{Lease: storage.Lease{Fence: uint64(fence), TTL: min(max(ttl-time.Since(asked), 1), ttl)}, EntryErr: storage.ErrNotFound}
	if get.Found {
		l.Entry, l.EntryErr = r.entry(key)
	}
	return l, nil
}

// Release implements storage.Store.
func (s *Store) Release(ctx context.Context, key states.Key, fence uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var n int64
	return s.failed("release", s.db.Write(ctx, &Statement{SQL: s.s.release, Args: []any{backend.KeyID(key), int64(fence)}, Row: s.row(&n)}))
}

// Seen tells what a watcher of key compares: the generation, or that somebody is
// at work under a lease.
func (s *Store) Seen(ctx context.Context, key states.Key) (seen string, ok bool) {
	var gen int64
	var leased bool
	err := s.db.Read(ctx, s.s.watch, []any{backend.KeyID(key)}, func(scan func(...any) error) error { return scan(&gen, &leased) })
	if leased {
		return backend.Held, err == nil
	}
	return fmt.Sprint(gen), err == nil
}
