package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestUserLoginGoesAhead: another process announced a login and died. A request
// waits for it; a login that the user asks for does not wait behind that request.
func TestUserLoginGoesAhead(t *testing.T) {
	w := newWorld(t)
	dead := newUser()
	other := w.driver(t, dead.host)
	go func() { _, _, _ = w.post(t.Context(), w.client(t, other), ping) }()
	<-dead.sent

	queuing := make(chan struct{}, 1)
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Observe = func(s httpdriver.Step) {
			if s.Result.Machine.State == states.Queuing && len(queuing) == 0 {
				queuing <- struct{}{}
			}
		}
	})
	answered := make(chan error, 1)
	go func() {
		status, _, err := w.post(t.Context(), w.client(t, d), ping)
		if err == nil && status != http.StatusOK {
			err = errors.New(http.StatusText(status))
		}
		answered <- err
	}()
	<-queuing
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := d.Login(ctx, w.account()); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Errorf("the request that waited: %v", err)
	}
}

// TestLoginAfterRefusedStepUp: a login that joined a step-up does not take over its
// refusal, which says nothing about the login. Its user is not asked for what they did not grant before.
// After the login, a request that needs more scope asks for it.
func TestLoginAfterRefusedStepUp(t *testing.T) {
	w := newWorld(t, func(s setup) {
		s.AS.Scopes = append(s.AS.Scopes, "extra")
		*s.Faults = append(*s.Faults, "scope-narrowed") // the user grants the first scope alone
	})
	if err := w.driver(t).Login(t.Context(), w.account(), "extra"); err != nil {
		t.Fatal(err)
	}
	visits, back := make(chan struct{}, 8), make(chan struct{})
	first := true
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			visits <- struct{}{}
			if first {
				first = false
				<-back
				return refuse(ctx, v)
			}
			if slices.Contains(scopesOf(t, v.URL), "extra") {
				t.Errorf("the user is asked for %v", scopesOf(t, v.URL))
			}
			return follow(ctx, v)
		})
	})
	refused := make(chan error, 1)
	go func() {
		_, _, err := w.post(t.Context(), w.client(t, d), admin)
		refused <- err
	}()
	<-visits
	login := make(chan error, 1)
	go func() { login <- d.Login(t.Context(), w.account()) }()
	until(t, "the login waits", func() bool { return goroutines("httpdriver.(*Driver).Login", "[select") > 0 })
	close(back)
	if err := <-refused; err == nil {
		t.Error("the step-up was not refused")
	}
	if err := <-login; err != nil {
		t.Errorf("the login: %v", err)
	}
	if len(visits) != 1 {
		t.Errorf("%d visits beside the step-up's", len(visits))
	}
	if _, _, err := w.post(t.Context(), w.client(t, d), admin); len(visits) != 2 {
		t.Errorf("a step-up after the login: %v, %d visits", err, len(visits))
	}
}

// TestLoginWhileAnotherProcessRefreshes: a login that a user asks for does not wait for the refresh
// of another process.
func TestLoginWhileAnotherProcessRefreshes(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	w.call(t, w.client(t, d))
	key := states.Key{Kind: states.KindCredential, Name: w.Server}
	if _, err := w.Store.Lease(t.Context(), key, time.Hour); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := d.Login(ctx, w.account()); err != nil {
		t.Error(err)
	}
}
