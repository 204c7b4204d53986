// Package pgstore keeps entries in PostgreSQL, for replicas on several machines.
//
//	inner, err := pgstore.Open(ctx, "postgres://user@host/db?sslmode=verify-full")
//	store, notice, err := keyringstore.Seal(ctx, inner, keyringstore.Options{KeyFile: "/etc/app/sealing.key"})
//
// # Guarantees
//
// Leases and expiry run on the database's clock. Values are kept as they are
// given: package sealed encrypts them. The owners of entries are in the column
// "key", in the clear.
//
// # Who should not use it
//
// A program of one user: package keyringstore needs no server.
package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stile-oauth/stile/storage/internal/backend"
	"github.com/stile-oauth/stile/storage/internal/sqlbase"
)

var dialect = sqlbase.Dialect{
	// Not now(): that is when the transaction began, before it waited for a row.
	Now:     `floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint`,
	Number:  `nextval('stile_number')`,
	Greater: `GREATEST`,
	Param:   `$`,
	Notify:  `pg_notify('` + channel + `', ?1)::text`,
}

// The lock keeps two processes from creating the same table at once, which
// PostgreSQL answers with an error in spite of IF NOT EXISTS.
const schema = `
SELECT pg_advisory_xact_lock(8317987319222330741);
CREATE TABLE IF NOT EXISTS stile_schema (version bigint NOT NULL);
INSERT INTO stile_schema SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM stile_schema);
CREATE SEQUENCE IF NOT EXISTS stile_number AS bigint NO CYCLE;
CREATE TABLE IF NOT EXISTS stile_entry (
	id text COLLATE "C" PRIMARY KEY, -- backend.KeyID
	owner text COLLATE "C" NOT NULL, -- backend.OwnerID
	key bytea NOT NULL,              -- backend.EncodeKey
	value bytea NOT NULL,
	generation bigint NOT NULL,
	expires bigint                   -- Unix milliseconds; NULL is never
);
CREATE INDEX IF NOT EXISTS stile_entry_owner ON stile_entry (owner);
CREATE INDEX IF NOT EXISTS stile_entry_expires ON stile_entry (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS stile_lease (
	id text COLLATE "C" PRIMARY KEY,
	fence bigint NOT NULL,
	ends bigint NOT NULL             -- Unix milliseconds
);
ALTER TABLE stile_lease ADD COLUMN IF NOT EXISTS ttl bigint NOT NULL DEFAULT 0; -- milliseconds; 0 is not known
`

// Store is a PostgreSQL database: a storage.Store with all its optional
// interfaces. Purge removes what has expired, which an open store does anyway;
// Close ends all connections.
type Store struct {
	*sqlbase.Store
	slots  *backend.Slots
	listen listener
}

// Queue implements storage.Queuer.
func (s *Store) Queue(ctx context.Context, urgent bool) (done func(), err error) {
	return s.slots.Take(ctx, urgent)
}

// Option changes how Open opens.
type Option func(*pgxpool.Config)

// MaxConns bounds how many connections the store keeps open; 8 by default. One
// more listens for changes once a process has waited for another's refresh.
func MaxConns(n int) Option {
	return func(c *pgxpool.Config) { c.MaxConns = int32(min(max(n, 1), 1<<16)) }
}

// Open opens the database at url (as libpq writes it, or key=value), creates its
// tables if they are missing, and keeps a pool of connections. No error shows the
// password. Over a network, put sslmode=verify-full into the URL.
func Open(ctx context.Context, url string, opts ...Option) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("pgstore: open: not the address of a PostgreSQL database; one is postgres://USER@HOST:5432/NAME") // and nothing of it
	}
	MaxConns(8)(config)
	for _, o := range opts {
		o(config)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("pgstore: open: %w", err)
	}
	p := &connPool{pool}
	err = p.with(ctx, false, func(c *pgx.Conn) error {
		return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, schema); err != nil { // without arguments, several statements are sent at once
				return err
			}
			var version int
			if err := tx.QueryRow(ctx, `SELECT version FROM stile_schema`).Scan(&version); err != nil {
				return err
			}
			return sqlbase.CheckVersion(version)
		})
	})
	if err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("pgstore: open: %w", oneLineError{err})
	}
	return &Store{
		Store: sqlbase.New("pgstore", p, dialect), slots: backend.NewSlots(int(config.MaxConns)),
		listen: listener{config: config.ConnConfig.Copy()},
	}, nil
}

// oneLineError is an error on one line: pgx puts each address it tried on a line of its
// own, and may say the same of several.
type oneLineError struct{ error }

func (e oneLineError) Error() string {
	text := ""
	for line := range strings.Lines(e.error.Error()) {
		if line = strings.Join(strings.Fields(line), " "); !strings.Contains(text, line) {
			text = strings.TrimPrefix(text+" "+line, " ")
		}
	}
	return text
}
func (e oneLineError) Unwrap() error { return e.error }
