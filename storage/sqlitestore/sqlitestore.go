// Package sqlitestore keeps entries in a SQLite database, for several processes
// of one machine.
//
//	inner, err := sqlitestore.Open(ctx, "/home/me/.local/state/app/stile.db")
//	store, notice, err := keyringstore.Seal(ctx, inner, keyringstore.Options{KeyFile: "/etc/app/sealing.key"})
//
// # Guarantees
//
// Values are kept as they are given: package sealed encrypts them. The owners of
// entries are in the column "key", in the clear.
//
// # Who should not use it
//
// Processes on several machines: neither locks nor the write-ahead log work over a
// network file system.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/internal/backend"
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
	ends INTEGER NOT NULL,        -- Unix milliseconds
	ttl INTEGER NOT NULL DEFAULT 0 -- milliseconds; 0 is not known
) WITHOUT ROWID;
`

// addTTL is for databases that were made before the column existed.
const addTTL = `ALTER TABLE stile_lease ADD COLUMN ttl INTEGER NOT NULL DEFAULT 0`

// busyFor bounds how long a call waits for other processes that write, if its
// context does not end sooner.
var busyFor = 10 * time.Second

// Store is a SQLite database: a storage.Store with all its optional interfaces
// but storage.Queuer. Purge removes what has expired, which an open store does
// anyway; Close closes the file.
type Store struct{ *sqlbase.Store }

// Open opens the database in the file path, and creates it, with mode 0600, if it is
// missing. A file that others can open is refused, and so is one in a directory where
// others could replace it. The database uses the write-ahead log, which needs all
// processes on one machine, and syncs at every commit: a rotated refresh token must
// survive a power failure.
func Open(ctx context.Context, path string) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	if err := backend.CheckParents(abs); err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	// In a sticky directory nobody can replace the file, but anybody can make
	// those that SQLite keeps beside it.
	dir, err := os.Stat(filepath.Dir(abs))
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	if mode := dir.Mode().Perm(); runtime.GOOS != "windows" && mode&0o022 != 0 {
		return nil, fmt.Errorf("sqlitestore: %s can be written by others (mode %04o): credentials are not kept there; \"chmod go-w\" closes it", filepath.Dir(abs), mode)
	}
	// The files beside it (-wal, -shm) take over its mode.
	f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	info, err := f.Stat()
	_ = f.Close()
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
	l := &database{db: db, path: abs, file: info, turn: make(chan struct{}, 1)}
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
	file os.FileInfo   // the file that was opened
	turn chan struct{} // one writer of this process at a time: SQLite has one anyway
}

func (l *database) Close() error { return l.db.Close() }

// patiently repeats do while other processes are in the way.
func (l *database) patiently(ctx context.Context, do func() error) error {
	bounded, cancel := context.WithTimeout(ctx, busyFor)
	defer cancel()
	for {
		err := do()
		if e := (*sqlite.Error)(nil); !errors.As(err, &e) || e.Code()&0xff != 5 { // SQLITE_BUSY
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

// there makes sure that the database's file is still the one that was opened:
// SQLite goes on with a file that nobody else can see any more.
func (l *database) there() error {
	switch info, err := os.Stat(l.path); {
	case err != nil:
		return fmt.Errorf("the database is gone: %w", err)
	case !os.SameFile(info, l.file):
		return fmt.Errorf("the file %s was replaced by another since it was opened; open it again", l.path)
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
		var version, ttl int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM pragma_table_info('stile_lease') WHERE name = 'ttl'`).Scan(&ttl); err != nil {
			return err
		}
		if ttl == 0 {
			if _, err := tx.ExecContext(ctx, addTTL); err != nil {
				return err
			}
		}
		if err := tx.QueryRowContext(ctx, `SELECT version FROM stile_schema`).Scan(&version); err != nil {
			return err
		}
		if err := sqlbase.CheckVersion(version); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// Read implements sqlbase.Database.
func (l *database) Read(ctx context.Context, query string, args []any, each func(func(...any) error) error) error {
	// Readers of the write-ahead log wait for nothing but its recovery.
	err := l.patiently(ctx, func() error {
		rows, err := l.db.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		return sqlbase.Each(rows, each)
	})
	if gone := l.there(); gone != nil {
		return gone
	}
	return err
}

// Write implements sqlbase.Database.
func (l *database) Write(ctx context.Context, statements ...*sqlbase.Statement) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return l.patiently(ctx, func() error {
		tx, err := l.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		found := false
		for _, s := range statements {
			if err := run(ctx, tx, s); err != nil {
				return err
			}
			found = found || s.Found
		}
		// Checked here, so that the write goes to the file that others see.
		if err := l.there(); err != nil || !found {
			return err // nothing was changed, and no number drawn
		}
		return tx.Commit()
	})
}

// run runs one statement in a transaction.
func run(ctx context.Context, tx *sql.Tx, s *sqlbase.Statement) error {
	if strings.Contains(s.SQL, dialect.Number) {
		if _, err := tx.ExecContext(ctx, `UPDATE stile_number SET last = last + 1`); err != nil {
			return err
		}
	}
	if len(s.Row) == 0 {
		r, err := tx.ExecContext(ctx, s.SQL, s.Args...)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		s.Found = n > 0
		return err
	}
	err := tx.QueryRowContext(ctx, s.SQL, s.Args...).Scan(s.Row...)
	s.Found = err == nil
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// Watch implements storage.Watcher, by polling the file.
func (s *Store) Watch(key states.Key) (changed <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	changed, end := backend.Poll(func() (string, bool) { return s.Seen(ctx, key) })
	return changed, func() {
		cancel()
		end()
	}
}
