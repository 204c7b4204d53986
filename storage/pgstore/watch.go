package pgstore

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// channel is where writes publish the ids of keys that have changed (NOTIFY).
const channel = "stile_changes"

// listener is the one connection that listens, made when a key is first watched for a while.
// Behind a pooler that shares connections between transactions it hears nothing,
// and watchers have to poll.
type listener struct {
	config   *pgx.ConnConfig
	watchers backend.Watchers

	mu     sync.Mutex
	cancel context.CancelFunc
	ended  chan struct{}
	closed bool
}

// Watch implements storage.Watcher, by LISTEN.
func (s *Store) Watch(key states.Key) (changed <-chan struct{}, stop func()) {
	return s.listen.watchers.AddLater(backend.KeyID(key), s.listen.begin)
}

// begin makes the connection, if there is none yet.
func (l *listener) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel == nil && !l.closed {
		var ctx context.Context
		ctx, l.cancel = context.WithCancel(context.Background())
		l.ended = make(chan struct{})
		go l.run(ctx)
	}
}

// run listens until it is cancelled, and connects again when it has to.
func (l *listener) run(ctx context.Context) {
	defer close(l.ended)
	for wait := 100 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 10*time.Second) {
		if l.hear(ctx) {
			wait = 100 * time.Millisecond
		}
		select {
		case <-time.After(wait + rand.N(wait)):
		case <-ctx.Done():
		}
	}
}

// hear listens on one connection until it ends; false if it was not made.
func (l *listener) hear(ctx context.Context) bool {
	c, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return false
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Close(closing)
	}()
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		return false
	}
	l.watchers.NotifyAll() // something may have been missed
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return true
		}
		l.watchers.Notify(n.Payload)
	}
}

func (l *listener) close() {
	l.mu.Lock()
	l.closed = true
	cancel, ended := l.cancel, l.ended
	l.mu.Unlock()
	if cancel != nil {
		cancel()
		<-ended
	}
}

// Close ends all connections.
func (s *Store) Close() error {
	s.listen.close()
	return s.Store.Close()
}
