package sqlstore

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var postgresDialect = dialect{
	// Not now(): that is when the transaction began, before it waited for a row.
	now:     `floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint`,
	number:  `nextval('stile_number')`,
	greater: `GREATEST`,
	holder:  `$`,
}

// The lock keeps two processes from creating the same table at once, which
// PostgreSQL answers with an error in spite of IF NOT EXISTS.
const postgresSchema = `
SELECT pg_advisory_xact_lock(8317987319222330741);
CREATE TABLE IF NOT EXISTS stile_schema (version bigint NOT NULL);
INSERT INTO stile_schema SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM stile_schema);
CREATE SEQUENCE IF NOT EXISTS stile_number AS bigint NO CYCLE;
CREATE TABLE IF NOT EXISTS stile_entry (
	id text COLLATE "C" PRIMARY KEY, -- storage.KeyID
	owner text COLLATE "C" NOT NULL, -- storage.OwnerID
	key bytea NOT NULL,              -- storage.EncodeKey
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
`

// PostgresOption changes how OpenPostgres opens.
type PostgresOption func(*pgxpool.Config)

// MaxConns bounds how many connections the store keeps open; 8 unless told
// otherwise.
func MaxConns(n int) PostgresOption {
	return func(c *pgxpool.Config) { c.MaxConns = int32(min(max(n, 1), 1<<16)) }
}

// OpenPostgres opens the database at url (as libpq writes it, or key=value),
// creates its tables if they are missing, and keeps a pool of connections. No
// error shows the password. Whoever keeps credentials there over a network
// wants sslmode=verify-full in the URL.
func OpenPostgres(ctx context.Context, url string, opts ...PostgresOption) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, failed("open", errors.New("not the address of a PostgreSQL database; one is postgres://USER@HOST:5432/NAME")) // and nothing of it
	}
	MaxConns(8)(config)
	for _, o := range opts {
		o(config)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, failed("open", err)
	}
	p := &pgPool{pool}
	err = p.with(ctx, func(c *pgx.Conn) error {
		return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			// The simple protocol takes several statements at once.
			if _, err := tx.Exec(ctx, postgresSchema, pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
			var version int
			if err := tx.QueryRow(ctx, `SELECT version FROM stile_schema`).Scan(&version); err != nil {
				return err
			}
			return checkVersion(version)
		})
	})
	if err != nil {
		_ = p.close()
		return nil, failed("open", oneLine{err})
	}
	return &Store{db: p, s: postgresDialect.statements()}, nil
}

func (p *pgPool) read(ctx context.Context, query string, args []any, each func(func(...any) error) error) error {
	return p.with(ctx, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := each(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func (p *pgPool) write(ctx context.Context, statement string, args []any, dest ...any) (found bool, err error) {
	// A database set to a stricter isolation than its default may refuse a
	// statement that met another; nothing has happened then.
	for range 10 {
		err = p.with(ctx, func(c *pgx.Conn) error {
			if len(dest) == 0 {
				_, err := c.Exec(ctx, statement, args...)
				return err
			}
			switch err := c.QueryRow(ctx, statement, args...).Scan(dest...); {
			case errors.Is(err, pgx.ErrNoRows):
				return nil
			case err != nil:
				return err
			}
			found = true
			return nil
		})
		if e := (*pgconn.PgError)(nil); !errors.As(err, &e) || e.Code != "40001" && e.Code != "40P01" {
			break
		}
	}
	return found && err == nil, err
}

// oneLine is an error on one line: pgx puts each address it tried on its own.
type oneLine struct{ error }

func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }
func (e oneLine) Unwrap() error { return e.error }
