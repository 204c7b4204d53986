package realservers

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Database makes a PostgreSQL database for one test and gives its URL.
func Database(t testing.TB) string {
	t.Helper()
	address, drop, err := databaseOn(Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(drop)
	return address
}

// databaseOn makes a database on the server at address.
func databaseOn(address string) (made string, drop func(), err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", nil, err
	}
	name := "test_" + strings.ToLower(rand.Text())
	if err := execute(context.Background(), address, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	drop = func() {
		if os.Getenv(sharedPostgres) != "" { // otherwise it goes with the server
			_ = execute(context.Background(), address, "DROP DATABASE "+name+" WITH (FORCE)")
		}
	}
	u.Path = "/" + name
	return u.String(), drop, nil
}

// Execute runs a statement on a connection of its own.
func Execute(t testing.TB, address, statement string) {
	t.Helper()
	if err := execute(t.Context(), address, statement); err != nil {
		t.Fatal(err)
	}
}

func execute(ctx context.Context, address, statement string) error {
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	_, err = c.Exec(ctx, statement)
	return err
}
