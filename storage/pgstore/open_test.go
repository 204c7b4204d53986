package pgstore_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

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
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		got := 0
		for range want + 1 {
			if _, err := s.Queue(ctx, false); err == nil {
				got++
			}
		}
		cancel()
		if got != want {
			t.Errorf("%d calls at once, want %d", got, want)
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

// What has expired is removed, however much it is, and nothing else.
func TestPurge(t *testing.T) {
	address := realservers.Database(t)
	s := open(t, address)
	if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lease(t.Context(), k, time.Hour); err != nil {
		t.Fatal(err)
	}
	realservers.Execute(t, address, `
		INSERT INTO stile_entry (id, owner, key, value, generation, expires) SELECT 'old' || i, 'o', '', '', 1, 1 FROM generate_series(1, 1500) i;
		INSERT INTO stile_lease (id, fence, ends) SELECT 'old' || i, i, 1 FROM generate_series(1, 2500) i`)
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	var entries, leases int
	if err := c.QueryRow(t.Context(), "SELECT (SELECT COUNT(*) FROM stile_entry), (SELECT COUNT(*) FROM stile_lease)").Scan(&entries, &leases); err != nil || entries != 1 || leases != 1 {
		t.Errorf("%d entries and %d leases are left, %v", entries, leases, err)
	}
}
