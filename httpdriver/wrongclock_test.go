package httpdriver_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/sqlitestore"
)

// mortal is a process's view of a store, up to the process's death.
type mortal struct {
	storage.Store
	dead atomic.Bool
}

func (s *mortal) Put(ctx context.Context, k states.Key, v []byte, g states.Generation, e time.Time) (states.Generation, error) {
	if s.dead.Load() {
		return 0, errDown
	}
	return s.Store.Put(ctx, k, v, g, e)
}

func (s *mortal) Delete(ctx context.Context, k states.Key, g states.Generation) error {
	if s.dead.Load() {
		return errDown
	}
	return s.Store.Delete(ctx, k, g)
}

// stores are those that judge expiry by the clock of this machine.
func stores(t *testing.T) map[string]storage.Store {
	t.Helper()
	files, err := filestore.Open(filepath.Join(t.TempDir(), "files"))
	if err != nil {
		t.Fatal(err)
	}
	lite, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lite.Close() })
	return map[string]storage.Store{"memory": storage.NewMemory(), "files": files, "SQLite": lite}
}

// A process whose clock was far ahead dies in the middle of a login. The entries
// that it left would stand for an hour or a year: nobody waits for them.
func TestDeadProcessOfAnotherTime(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, 365 * 24 * time.Hour} {
		for name, store := range stores(t) {
			t.Run(ahead.String()+" in "+name, func(t *testing.T) {
				w := newWorld(t)
				later := func() time.Time { return time.Now().Add(ahead) }
				s := &mortal{Store: store}
				died, user := make(chan error, 1), newUser()
				d := w.driver(t, user.host, func(o *httpdriver.Options) { o.Store, o.Clock = s, later })
				ctx, cancel := context.WithCancel(t.Context())
				go func() { died <- d.Login(ctx, w.account()) }()
				<-user.sent
				s.dead.Store(true)
				cancel()
				if err := <-died; err == nil {
					t.Fatal("the login that was to die has ended well")
				}
				key := states.Key{Kind: states.KindMark, Name: w.Server}
				left, err := store.Get(t.Context(), key)
				if err != nil || time.Until(left.Expires) < ahead {
					t.Fatalf("no mark of the future was left: %+v, %v", left, err)
				}
				other := w.driver(t, func(o *httpdriver.Options) { o.Store = store })
				c := w.client(t, other)
				ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				if status, _, err := w.post(ctx, c, ping); err != nil || status != 200 {
					t.Fatalf("another process: %d %v", status, err)
				}
				if _, err := store.Get(t.Context(), key); err == nil {
					t.Error("the mark is still there after the login of another process")
				}
				// The same with step-ups that were tried in the future, and refused.
				s.dead.Store(false)
				denied := w.driver(t, func(o *httpdriver.Options) {
					o.Store, o.Clock, o.Host = s, later, httpdriver.UserAgent(refuse)
				})
				if _, _, err := w.post(ctx, w.client(t, denied), admin); err == nil {
					t.Fatal("the step-up that was to be refused has ended well")
				}
				if status, _, err := w.post(ctx, c, admin); err != nil || status != 200 {
					t.Errorf("another process needs more scope: %d %v", status, err)
				}
			})
		}
	}
}
