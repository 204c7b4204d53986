package httpdriver_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage"
)

// TestRegistrationsOfTwoTenants: a login that registers a client waits for no registration of another
// tenant, and neither keeps the next login of its tenant waiting.
func TestRegistrationsOfTwoTenants(t *testing.T) {
	registering := &slowly{path: "/register", wait: 5 * time.Second}
	registering.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		d, began := w.driver(t), time.Now()
		var all sync.WaitGroup
		for _, tenant := range []string{"one", "two"} {
			for _, subject := range []string{"first", "second"} {
				all.Go(func() {
					a := w.account()
					a.Tenant, a.Subject = tenant, subject
					if err := d.Login(t.Context(), a); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		if n := w.Tap.count("as", "/register"); n != 2 || !near(time.Since(began), 5*time.Second, time.Second) {
			t.Errorf("%d registrations, after %v", n, time.Since(began))
		}
	}, func(s setup) { s.Wrap["as"] = registering.wrap })
}

// crowded is a store that has no connection for the lease of a registration.
type crowded struct {
	storage.Store
	asked func()
}

func (s crowded) Queue(ctx context.Context, _ bool) (done func(), err error) {
	if called("(*run).leaseRegistration") {
		s.asked()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return func() {}, nil
}

// TestCloseBeforeARegistration: a login that waits for a connection to the store, so as to register
// a client, ends when the driver is closed.
func TestCloseBeforeARegistration(t *testing.T) {
	w := newWorld(t)
	closed := make(chan error, 1)
	var d *httpdriver.Driver
	d = w.driver(t, func(o *httpdriver.Options) {
		o.Store = crowded{w.Store, func() { go func() { closed <- d.Close() }() }}
	})
	if err := d.Login(t.Context(), w.account()); !errors.Is(err, httpdriver.ErrClosed) {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
