package sqlbase

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// List implements storage.Lister.
func (s *Store) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	var keys []states.Key
	err := s.each(ctx, s.s.list, []any{backend.OwnerID(tenant, subject)}, func(k states.Key) error {
		keys = append(keys, k)
		return nil
	})
	backend.SortKeys(keys)
	return keys, err
}

// Keys implements storage.KeyLister.
func (s *Store) Keys(ctx context.Context, each func(states.Key) error) error {
	var keys []states.Key // so that no connection waits for each
	err := s.each(ctx, s.s.keys, nil, func(k states.Key) error {
		keys = append(keys, k)
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := each(k); err != nil {
			return err
		}
	}
	return nil
}

// each runs a query for encoded keys.
func (s *Store) each(ctx context.Context, query string, args []any, each func(states.Key) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.failed("list", s.db.Read(ctx, query, args, func(scan func(...any) error) error {
		var b []byte
		if err := scan(&b); err != nil {
			return err
		}
		k, err := backend.DecodeKey(b)
		if err != nil {
			return err
		}
		return each(k)
	}))
}

// Entries implements storage.EntryLister.
func (s *Store) Entries(ctx context.Context, tenant, subject string, each func(states.Key, storage.Entry, error) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	type found struct {
		entryRow
		id string
	}
	var all []*found
	err := s.db.Read(ctx, s.s.entries, []any{backend.OwnerID(tenant, subject)}, func(scan func(...any) error) error {
		f := &found{}
		all = append(all, f)
		return scan(append(f.dest(), &f.id)...)
	})
	if err != nil {
		return s.failed("list", err)
	}
	slices.SortFunc(all, func(a, b *found) int { return strings.Compare(string(a.key), string(b.key)) })
	for _, f := range all {
		k, err := backend.DecodeKey(f.key)
		if err != nil {
			return s.failed("list", err)
		}
		var e storage.Entry
		if backend.KeyID(k) != f.id {
			err = &storage.UnreadableError{Key: k, Where: "row " + f.id, Generation: states.Generation(f.gen), Err: errForeignRow}
		} else {
			e, err = f.entry(k)
		}
		if err := each(k, e, err); err != nil {
			return err
		}
	}
	return nil
}

// Purge removes what has expired, and the records of leases that ended a day
// ago. Calling it is never necessary: every open store sweeps by itself
// (docs/storage.md#sweeping).
func (s *Store) Purge(ctx context.Context) error {
	for {
		if more, err := s.purge(ctx); err != nil || !more {
			return err
		}
	}
}

// purge removes a bounded number of those, and tells whether there may be more.
func (s *Store) purge(ctx context.Context) (more bool, err error) {
	entries, leases := &Statement{SQL: s.s.purge}, &Statement{SQL: s.s.purgeLeases}
	err = s.db.Write(ctx, entries, leases)
	return entries.Found || leases.Found, s.failed("purge", err)
}

func (s *Store) purgeSome(ctx context.Context) error {
	_, err := s.purge(ctx)
	return err
}

// sweepEvery is how often an open store removes what has expired, even when nothing
// else happens.
var sweepEvery = 10 * time.Minute

// purgeEvery is how many writes of this process there are to one purge. The first
// write purges, so that processes that end soon clean up as well.
const purgeEvery = 512

func (s *Store) tidy(ctx context.Context) {
	if s.writes.Add(1)%purgeEvery == 1 {
		_ = s.purgeSome(ctx) // what stays is removed next time; the write itself is done
	}
}
