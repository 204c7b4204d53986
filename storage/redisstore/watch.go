package redisstore

import (
	"context"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// listener is the one subscription of a store, made when a key is first watched for a while.
type listener struct {
	watchers backend.Watchers

	mu     sync.Mutex
	pubsub *goredis.PubSub
	closed bool
}

// channel is where the scripts publish the ids of keys that have changed.
func (s *Store) channel() string { return s.prefix + "changes" }

// Watch implements storage.Watcher, by a subscription.
func (s *Store) Watch(key states.Key) (changed <-chan struct{}, stop func()) {
	return s.listen.watchers.AddLater(backend.KeyID(key), s.subscribe)
}

// subscribe makes the subscription, if there is none yet.
func (s *Store) subscribe() {
	l := &s.listen
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pubsub == nil && !l.closed {
		l.pubsub = s.client.Subscribe(context.Background(), s.channel())
		go l.hear(l.pubsub.ChannelWithSubscriptions())
	}
}

// hear passes on what is published. A subscription that has just been made, or
// made again, may have missed something.
func (l *listener) hear(said <-chan any) {
	for m := range said {
		switch m := m.(type) {
		case *goredis.Subscription:
			l.watchers.NotifyAll()
		case *goredis.Message:
			l.watchers.Notify(m.Payload)
		}
	}
}

func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.pubsub != nil {
		_ = l.pubsub.Close()
	}
}
