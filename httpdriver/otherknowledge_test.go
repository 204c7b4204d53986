package httpdriver_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// The tests of this file look at what a process learns from the store about the work of others.

// TestTokenThatAnotherProcessTried: a process that has read that the server took the token, because
// another process had found out, has nothing to do when it finds out itself.
func TestTokenThatAnotherProcessTried(t *testing.T) {
	w := newWorld(t)
	if err := w.driver(t).Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	var seen steps
	d := w.driver(t, seen.add, func(o *httpdriver.Options) { o.Host = httpdriver.UserAgent(refuse) })
	if _, err := d.Token(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	w.call(t, w.client(t, w.driver(t)))
	if err := d.Login(t.Context(), w.account()); err == nil {
		t.Fatal("the user has denied it")
	}
	before := len(seen.all)
	w.call(t, w.client(t, d))
	for _, step := range seen.all[before:] {
		t.Errorf("the machine was told %T", step.Input)
	}
}

// TestLoginOfAnotherTenant: a waiting login that the store gives under the name of another tenant
// is not that tenant's. The code is not exchanged.
//
// Rules: authz-resp-owner-bound.
func TestLoginOfAnotherTenant(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t, web)
	raw := back(t, required(t, d.Login(t.Context(), w.account())))
	key, e := w.waitingLogin(t, raw)
	key.Tenant = "another"
	if _, err := w.Store.Put(t.Context(), key, e.Value, 0, e.Expires); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Redirected(t.Context(), raw, httpdriver.Owner{Tenant: "another"}); !errors.Is(err, httpdriver.ErrForeignLogin) {
		t.Error(err)
	}
	if n := w.Tap.count("as", "/token"); n != 0 {
		t.Errorf("%d exchanges", n)
	}
}

// unleased is a store in which nobody gets a lease for a registration.
type unleased struct{ storage.Store }

func (s unleased) Lease(ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
	if k.Kind == states.KindRegistration {
		return storage.Lease{}, errDown
	}
	return s.Store.Lease(ctx, k, ttl)
}

// TestRegistrationWithoutALease: a login whose store gives no lease for the registration does not
// wait for one: a registration too many does no harm.
func TestRegistrationWithoutALease(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, func(o *httpdriver.Options) { o.Store = unleased{w.Store} })
		began := time.Now()
		if err := d.Login(t.Context(), w.account()); err != nil || time.Since(began) > time.Second {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
		if n := w.Tap.count("as", "/register"); n != 1 {
			t.Errorf("%d registrations", n)
		}
	})
}
