// Package sqlitestore keeps entries in a SQLite database, for several processes
// of one machine.
//
//	s, err := sqlitestore.Open(ctx, "/home/me/.local/state/app/stile.db")
//
// The values are kept as they come: package sealed encrypts them. Who has entries
// stands in the column "key" in the clear.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/stile-oauth/stile/storage/internal/sqlbase"
)

var dialect = sqlbase.Dialect{
	Now:     `CAST(unixepoch('subsec') * 1000 AS INTEGER)`,
	Number:  `(SELECT last FROM stile_number)`, // Write has counted it up
	Greater: `MAX`,
	Param:   `?`,
}

const schema = `
CREATE TABLE IF NOT EXISTS stile_schema (version INTEGER NOT NULL);
INSERT INTO stile_schema SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM stile_schema);
CREATE TABLE IF NOT EXISTS stile_number (last INTEGER NOT NULL);
INSERT INTO stile_number SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM stile_number);
CREATE TABLE IF NOT EXISTS stile_entry (
	id TEXT PRIMARY KEY,          -- backend.KeyID
	owner TEXT NOT NULL,          -- backend.OwnerID
	key BLOB NOT NULL,            -- backend.EncodeKey
	value BLOB NOT NULL,
	generation INTEGER NOT NULL,
	expires INTEGER               -- Unix milliseconds; NULL is never
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stile_entry_owner ON stile_entry (owner);
CREATE INDEX IF NOT EXISTS stile_entry_expires ON stile_entry (expires);
CREATE TABLE IF NOT EXISTS stile_lease (
	id TEXT PRIMARY KEY,
	fence INTEGER NOT NULL,
	ends INTEGER NOT NULL         -- Unix milliseconds
) WITHOUT ROWID;
`

// busyFor bounds how long a call waits for other processes that write, if its
// context does not end sooner.
const busyFor = 10 * time.Second

// Store is a SQLite database: a storage.Store, a storage.Lister and a
// storage.OwnerLister. Purge removes what has expired, which writers do anyway;
// Close closes the file.
type Store struct{ *sqlbase.Store }

// Open opens the database in the file path, and creates it, with mode
// 0600, if it is missing. A file that is open to others is refused. It uses the
// write-ahead log, which needs all processes on one machine, and syncs at every
// commit: a rotated refresh token must survive a power failure.
func Open(ctx context.Context, path string) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	// The files beside it (-wal, -shm) take over its mode.
	f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	info, err := f.Stat()
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	if mode := info.Mode(); !mode.IsRegular() || runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("sqlitestore: %s is open to others or no regular file (mode %v): credentials are not kept there; \"chmod 600\" closes it", abs, mode)
	}
	db, err := sql.Open("sqlite", dsn(abs))
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	db.SetMaxOpenConns(8)
	l := &database{db: db, path: abs, turn: make(chan struct{}, 1)}
	if err := l.migrate(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("sqlitestore: open %s: %w", abs, err)
	}
	return &Store{sqlbase.New("sqlitestore", l, dialect)}, nil
}

func dsn(abs string) string {
	p := filepath.ToSlash(abs)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	q := url.Values{}
	q.Add("_txlock", "immediate")
	q.Add("_pragma", "busy_timeout(100)") // the rest of the waiting is ours, which a context can end
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "synchronous(FULL)")
	return (&url.URL{Scheme: "file", OmitHost: true, Path: p, RawQuery: q.Encode()}).String()
}

type database struct {
	db   *sql.DB
	path string
	turn chan struct{} // one writer of this process at a time: SQLite has one anyway
}

func (l *database) Close() error { return l.db.Close() }

// patiently does it again while other processes are in the way.
func (l *database) patiently(ctx context.Context, do func() error) error {
	bounded, cancel := context.WithTimeout(ctx, busyFor)
	defer cancel()
	for {
		err := do()
		if e := (*sqlite.Error)(nil); !errors.As(err, &e) || e.Code()&0xff != 5 && e.Code()&0xff != 6 { // SQLITE_BUSY, SQLITE_LOCKED
			if ctxErr := ctx.Err(); err != nil && ctxErr != nil {
				return ctxErr // SQLite calls it "interrupted"
			}
			return err
		}
		select {
		case <-bounded.Done():
			if ctxErr := ctx.Err(); ctxErr != nil {
				return ctxErr
			}
			return fmt.Errorf("other processes have it locked for more than %v: %w", busyFor, err)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// there makes sure that a database whose file was removed fails: SQLite goes on
// with the file that nobody else can see.
func (l *database) there() error {
	if _, err := os.Stat(l.path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the database is gone: %w", err)
	}
	return nil
}

func (l *database) migrate(ctx context.Context) error {
	return l.patiently(ctx, func() error {
		tx, err := l.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return err
		}
		var version int
		if err := tx.QueryRowContext(ctx, `SELECT version FROM stile_schema`).Scan(&version); err != nil {
			return err
		}
		if err := sqlbase.CheckVersion(version); err != nil {
			return err
		}
		return tx.Commit()
	})
}

func (l *database) Read(ctx context.Context, query string, args []any, each func(func(...any) error) error) error {
	if err := l.there(); err != nil {
		return err
	}
	// Readers of the write-ahead log wait for nobody, but for its recovery.
	return l.patiently(ctx, func() error {
		rows, err := l.db.QueryContext(ctx, query, args...)
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

func (l *database) Write(ctx context.Context, statement string, args []any, dest ...any) (found bool, err error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if err := l.there(); err != nil {
		return false, err
	}
	err = l.patiently(ctx, func() error {
		found = false
		tx, err := l.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		if strings.Contains(statement, dialect.Number) {
			if _, err := tx.ExecContext(ctx, `UPDATE stile_number SET last = last + 1`); err != nil {
				return err
			}
		}
		if len(dest) == 0 {
			if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
				return err
			}
			return tx.Commit()
		}
		switch err := tx.QueryRowContext(ctx, statement, args...).Scan(dest...); {
		case errors.Is(err, sql.ErrNoRows):
			return nil // nothing was changed; the number was not drawn
		case err != nil:
			return err
		}
		found = true
		return tx.Commit()
	})
	return found && err == nil, err
}
