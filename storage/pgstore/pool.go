package pgstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connPool is pgx's pool; a call whose connection broke before
// anything was sent is made once more, on another connection.
type connPool struct{ pool *pgxpool.Pool }

func (p *connPool) with(ctx context.Context, f func(*pgx.Conn) error) error {
	err := p.once(ctx, f)
	if err != nil && ctx.Err() == nil && pgconn.SafeToRetry(err) {
		err = p.once(ctx, f)
	}
	return err
}

func (p *connPool) once(ctx context.Context, f func(*pgx.Conn) error) error {
	err := p.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return f(c.Conn()) })
	if ctxErr := ctx.Err(); err != nil && ctxErr != nil && !errors.Is(err, ctxErr) {
		return errors.Join(ctxErr, err)
	}
	return err
}

func (p *connPool) Close() error {
	p.pool.Close()
	return nil
}
