package pgstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stile-oauth/stile/storage/internal/sqlbase"
)

// connPool runs the statements on pgx's pool.
type connPool struct{ pool *pgxpool.Pool }

// Close implements sqlbase.Database.
func (p *connPool) Close() error {
	p.pool.Close()
	return nil
}

// connectWait bounds how long a call waits for a server that has no connection
// free or is starting, if its context does not end sooner.
var connectWait = 30 * time.Second

// with runs f on a connection. When the server has none to give at the moment,
// with waits. When a connection turns out to be cut, an f that only reads runs once
// more on a new one.
func (p *connPool) with(ctx context.Context, reads bool, f func(*pgx.Conn) error) error {
	end := time.Now().Add(connectWait)
	for wait, repeated := 10*time.Millisecond, false; ; {
		began := false
		err := p.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
			began = true
			return f(c.Conn())
		})
		if ctxErr := ctx.Err(); err != nil && ctxErr != nil {
			if errors.Is(err, ctxErr) {
				return err
			}
			return fmt.Errorf("%w: %w", ctxErr, err)
		}
		switch {
		case err == nil:
			return nil
		case !began && hasCode(err, tooManyConnections, cannotConnectNow) && time.Now().Before(end):
			select {
			case <-time.After(wait + rand.N(wait)):
			case <-ctx.Done():
				return fmt.Errorf("%w: %w", ctx.Err(), err)
			}
			wait = min(2*wait, time.Second)
		case began && reads && !repeated && cut(err):
			repeated = true
			p.pool.Reset() // the others are cut as well, if the server was restarted
		default:
			return err
		}
	}
}

// The PostgreSQL error codes that mean more than a plain failure.
const (
	tooManyConnections  = "53300"
	cannotConnectNow    = "57P03"
	adminShutdown       = "57P01"
	crashShutdown       = "57P02"
	serializationFailed = "40001"
	deadlockDetected    = "40P01"
)

func hasCode(err error, codes ...string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}

// cut says that an error means the end of the connection and is not an answer of
// the database.
func cut(err error) bool {
	var e *pgconn.PgError
	return !errors.As(err, &e) || hasCode(err, adminShutdown, crashShutdown, cannotConnectNow)
}

// Read implements sqlbase.Database.
func (p *connPool) Read(ctx context.Context, query string, args []any, each func(func(...any) error) error) error {
	given := false
	var refused error // by each: the connection is as it was
	err := p.with(ctx, true, func(c *pgx.Conn) error {
		if given {
			return errHalfRead
		}
		rows, _ := c.Query(ctx, query, args...) // rows.Err gives its error as well
		defer rows.Close()
		err := sqlbase.Each(rows, func(scan func(...any) error) error {
			given = true
			refused = each(scan)
			return refused
		})
		if refused != nil {
			return nil
		}
		return err
	})
	if refused != nil {
		return refused
	}
	return err
}

// errHalfRead does not lead to a repetition: the rows that were given stand.
var errHalfRead = errors.New("the connection was cut in the middle of the answer")

// Write implements sqlbase.Database.
func (p *connPool) Write(ctx context.Context, statements ...*sqlbase.Statement) (err error) {
	// A database set to a stricter isolation than its default may refuse a
	// statement that conflicts with another; nothing has happened then.
	for range 10 {
		err = p.with(ctx, false, func(c *pgx.Conn) error {
			if len(statements) == 1 {
				return result(statements[0], func() (pgconn.CommandTag, error) {
					return c.Exec(ctx, statements[0].SQL, statements[0].Args...)
				}, func() pgx.Row { return c.QueryRow(ctx, statements[0].SQL, statements[0].Args...) })
			}
			// One round trip; a batch is one transaction without being asked.
			var b pgx.Batch
			for _, s := range statements {
				b.Queue(s.SQL, s.Args...)
			}
			answers := c.SendBatch(ctx, &b)
			for _, s := range statements {
				if err := result(s, answers.Exec, answers.QueryRow); err != nil {
					_ = answers.Close()
					return err
				}
			}
			return answers.Close()
		})
		if !hasCode(err, serializationFailed, deadlockDetected) {
			break
		}
	}
	return err
}

// result takes a statement's answer.
func result(s *sqlbase.Statement, exec func() (pgconn.CommandTag, error), row func() pgx.Row) error {
	if len(s.Row) == 0 {
		tag, err := exec()
		s.Found = tag.RowsAffected() > 0
		return err
	}
	err := row().Scan(s.Row...)
	s.Found = err == nil
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}
