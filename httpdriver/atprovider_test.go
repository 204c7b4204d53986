package httpdriver_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// TestDenialAtTheProvider: users who refuse to log in at the provider are not sent there by another
// request for a minute, and at once if they ask for a login.
func TestDenialAtTheProvider(t *testing.T) {
	w, _, options := enterprise(t)
	visits := 0
	d := w.driver(t, options, func(o *httpdriver.Options) {
		o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			visits++
			return refuse(ctx, v)
		})
	})
	for i, want := range []int{1, 1, 2} {
		if _, _, err := w.post(t.Context(), w.client(t, d), ping); err == nil || visits != want {
			t.Errorf("request %d: %v, %d visits", i+1, err, visits)
		}
		w.Clock.forward(40 * time.Second)
	}
	if err := d.Login(t.Context(), w.account()); err == nil || visits != 3 {
		t.Errorf("%v, %d visits", err, visits)
	}
}

// TestLoggedOutWhileAtTheProvider: a user who logs out at the provider in the middle of a login
// there is not sent there again for the request that waits.
func TestLoggedOutWhileAtTheProvider(t *testing.T) {
	w, c, options := enterprise(t)
	visits := 0
	var d *httpdriver.Driver
	d = w.driver(t, options, func(o *httpdriver.Options) {
		o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			if visits++; visits > 1 {
				return follow(ctx, v)
			}
			return "", d.Logout(ctx, httpdriver.Account{Server: c.URL})
		})
	})
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	if err == nil || visits != 1 {
		t.Errorf("%v, %d visits", err, visits)
	}
}

// TestProviderRefusesToRefresh: where the provider refuses the refresh for a reason that does not
// pass, the user who waits is sent there, and need not ask a second time.
func TestProviderRefusesToRefresh(t *testing.T) {
	w, c, options := enterprise(t)
	visits := 0
	d := w.driver(t, options, visitors(&visits, nil))
	w.call(t, w.client(t, d))
	w.Clock.forward(2 * time.Hour)
	c.failing(func(grant string) http.HandlerFunc {
		if grant == "refresh_token" {
			return says(http.StatusBadRequest, "application/json", `{"error":"invalid_client"}`)
		}
		return nil
	})
	w.call(t, w.client(t, d))
	if visits != 2 {
		t.Errorf("%d visits", visits)
	}
}
