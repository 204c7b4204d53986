package sqlstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pgPool keeps a bounded number of connections, the one used last on top. A
// connection that broke, or whose call was cancelled half way, is let go of.
type pgPool struct {
	config *pgx.ConnConfig
	slots  chan struct{} // one token for each connection that is in use

	mu     sync.Mutex
	closed bool
	idle   []idleConn
}

type idleConn struct {
	conn  *pgx.Conn
	since time.Time
}

var errClosed = errors.New("the store is closed")

// stale is after how long an idle connection is tried before it is used: the
// server may have ended it. maxIdle is after how long it is closed.
const (
	stale   = time.Second
	maxIdle = 5 * time.Minute
)

// with lends a connection to f; another one, if the first broke before anything
// was sent.
func (p *pgPool) with(ctx context.Context, f func(*pgx.Conn) error) error {
	err := p.once(ctx, f)
	if err != nil && ctx.Err() == nil && pgconn.SafeToRetry(err) {
		err = p.once(ctx, f)
	}
	return err
}

func (p *pgPool) once(ctx context.Context, f func(*pgx.Conn) error) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c, err := p.take(ctx)
	if err != nil {
		if ctxErr := ctx.Err(); ctxErr != nil {
			return ctxErr
		}
		return err
	}
	defer p.giveBack(c)
	if err = f(c); err != nil {
		if ctxErr := ctx.Err(); ctxErr != nil && !errors.Is(err, ctxErr) {
			return errors.Join(ctxErr, err)
		}
	}
	return err
}

func (p *pgPool) take(ctx context.Context) (*pgx.Conn, error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, errClosed
		}
		n := len(p.idle) - 1
		if n < 0 {
			p.mu.Unlock()
			return pgx.ConnectConfig(ctx, p.config.Copy())
		}
		c := p.idle[n]
		p.idle = p.idle[:n]
		p.mu.Unlock()
		if time.Since(c.since) < stale || c.conn.Ping(ctx) == nil {
			return c.conn, nil
		}
		discard(c.conn)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

func (p *pgPool) giveBack(c *pgx.Conn) {
	// A connection in the middle of a transaction is nobody else's to use.
	if c.IsClosed() || c.PgConn().TxStatus() != 'I' {
		discard(c)
		return
	}
	now := time.Now()
	p.mu.Lock()
	var old []idleConn
	if p.closed {
		old = []idleConn{{conn: c}}
	} else {
		p.idle = append(p.idle, idleConn{c, now})
		for len(p.idle) > 1 && now.Sub(p.idle[0].since) > maxIdle {
			old = append(old, p.idle[0])
			p.idle = p.idle[1:]
		}
	}
	p.mu.Unlock()
	for _, c := range old {
		discard(c.conn)
	}
}

// discard ends a connection without waiting long for the server to agree.
func discard(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}

func (p *pgPool) close() error {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		discard(c.conn)
	}
	return nil
}
