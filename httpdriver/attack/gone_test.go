package attack_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// mortal is a process's way to a store, up to its death.
type mortal struct {
	storage.Store
	dead atomic.Bool
}

var errDead = errors.New("this process is dead")

func (s *mortal) Put(ctx context.Context, k states.Key, v []byte, g states.Generation, e time.Time) (states.Generation, error) {
	if s.dead.Load() {
		return 0, errDead
	}
	return s.Store.Put(ctx, k, v, g, e)
}

func (s *mortal) Delete(ctx context.Context, k states.Key, g states.Generation) error {
	if s.dead.Load() {
		return errDead
	}
	return s.Store.Delete(ctx, k, g)
}

// TestKilledBeforeTheUserIsBack: a process that is killed while its user is at the
// issuer costs others a minute at most, from the first second on.
func TestKilledBeforeTheUserIsBack(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 59 * time.Second, 10 * time.Minute} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := storage.NewMemory()
				here, sent := &mortal{Store: memory}, make(chan struct{})
				s := begin(t, func(o *httpdriver.Options) {
					o.Store = here
					o.Policy.UserTime = time.Hour
					o.Host = httpdriver.UserAgent(func(ctx context.Context, _ httpdriver.Visit) (string, error) {
						close(sent)
						<-ctx.Done()
						return "", ctx.Err()
					})
				})
				defer s.end()
				go func() { _ = s.driver.Login(t.Context(), s.account()) }()
				<-sent
				time.Sleep(after)
				here.dead.Store(true)
				other := s.beside(func(o *httpdriver.Options) { o.Store = memory })
				m := s.measure()
				err := other.post(ping)
				other.judge(want{ends: "ok", within: 62 * time.Second}, err, m.read())
				_ = other.driver.Close()
			})
		})
	}
}
