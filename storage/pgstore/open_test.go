package pgstore_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/pgstore"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// As many calls run at once as the store may have connections: 8 unless it is told
// otherwise, and at least one.
func TestQueueFollowsMaxConns(t *testing.T) {
	address := realservers.Postgres(t)
	for want, opts := range map[int][]pgstore.Option{
		8: nil, 3: {pgstore.MaxConns(3)}, 1: {pgstore.MaxConns(0)},
	} {
		s := open(t, address, opts...)
		ctx, leave := context.WithCancel(t.Context())
		got := 0
		for range want {
			if _, err := s.Queue(ctx, false); err == nil {
				got++
			}
		}
		waits := make(chan error)
		go func() { _, err := s.Queue(ctx, true); waits <- err }()
		leave()
		if err := <-waits; err == nil || got != want {
			t.Errorf("%d calls at once and one more (%v), want %d", got, err, want)
		}
	}
}

// What keeps a database from being opened is named.
func TestCannotOpen(t *testing.T) {
	address := realservers.Database(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	role := "poor_" + strings.TrimPrefix(u.Path, "/")
	realservers.Execute(t, address, "CREATE ROLE "+role+" LOGIN PASSWORD 'poor'")
	u.User = url.UserPassword(role, "poor")
	if _, err := pgstore.Open(t.Context(), u.String()); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("Open by a role without rights: %v", err)
	}
	realservers.Execute(t, address, "CREATE TABLE stile_schema (version text); INSERT INTO stile_schema VALUES ('one')")
	if _, err := pgstore.Open(t.Context(), address); err == nil || errors.Is(err, storage.ErrFormat) {
		t.Errorf("Open of a schema whose version is no number: %v", err)
	}
}

// An error that concerns several addresses is one line that says nothing twice.
func TestErrorsAreOneLine(t *testing.T) {
	_, err := pgstore.Open(t.Context(), "host=127.0.0.1,127.0.0.1,127.0.0.2 port=1,1,1 user=u dbname=d sslmode=disable")
	if err == nil {
		t.Fatal("opened")
	}
	if text := err.Error(); strings.ContainsAny(text, "\n\t") || strings.Contains(text, "  ") ||
		strings.Count(text, "127.0.0.1:1 (127.0.0.1)") != 1 || !strings.Contains(text, "127.0.0.2:1") {
		t.Errorf("%q", text)
	}
}
