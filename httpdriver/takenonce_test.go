package httpdriver_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// unreadable is a store that gives no credential as long as it is switched on.
type unreadable struct {
	storage.Store
	on    atomic.Bool
	tries atomic.Int64
}

func (s *unreadable) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if k.Kind == states.KindCredential && s.on.Load() {
		s.tries.Add(1)
		return storage.Entry{}, errDown
	}
	return s.Store.Get(ctx, k)
}

// TestTakenTokenThatCannotBeRecorded: a process that finds the token of a login of another one, and
// finds out that the server takes it, may be unable to record that, because the store is away. The
// request has its answer, it is not tried again with every request, and a step-up that comes next
// is not held up.
func TestTakenTokenThatCannotBeRecorded(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		if err := w.driver(t).Login(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		store := &unreadable{Store: w.Store}
		d := w.driver(t, func(o *httpdriver.Options) { o.Store = store })
		if _, err := d.Token(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		c := w.client(t, d)
		store.on.Store(true)
		w.call(t, c)
		tries := store.tries.Load()
		for range 3 {
			w.call(t, c)
		}
		if n := store.tries.Load(); tries == 0 || n != tries {
			t.Errorf("the store was asked %d times, and %d times later", tries, n-tries)
		}
		store.on.Store(false)
		if status, _, err := w.post(t.Context(), c, admin); err != nil || status != http.StatusOK {
			t.Errorf("the step-up: %d %v", status, err)
		}
	})
}
