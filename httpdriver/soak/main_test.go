//go:build unix

// Package soak shows that nothing is lost when several processes share one credential.
// It uses real processes, which are killed and stopped, and real stores. The
// authorization server replaces the refresh token at each use and revokes everything
// when a spent one comes again (OAuth 2.1 §4.3.1; rules refresh-transaction,
// refresh-ambiguous-once, refresh-stale-restore).
//
// The test binary runs itself as the worker process. `go test` runs the short versions,
// `make soak` (build tag soak) the long ones. Each test prints what it counted at the
// server: refreshes, spent tokens that came again, logins.
package soak_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/pgstore"
	"github.com/stile-oauth/stile/storage/redisstore"
	"github.com/stile-oauth/stile/storage/sealed"
	"github.com/stile-oauth/stile/storage/sqlitestore"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// workerEnv makes this binary a worker.
const workerEnv = "STILE_SOAK_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(holdingEnv) != "" {
		os.Exit(holding(os.Stdin, os.Stdout))
	}
	if os.Getenv(workerEnv) != "" {
		os.Exit(work(os.Stdin, os.Stdout))
	}
	flag.Parse()
	if atOnce != "" {
		_ = flag.Set("test.parallel", atOnce)
	}
	os.Exit(realservers.Main(m))
}

// atOnce is how many tests run at a time; empty: as many as there are processors.
var atOnce string

// where says which store to use. It is sent to workers over a pipe, because a URL may
// hold a password.
type where struct {
	Kind   string `json:"kind"`
	Target string `json:"target"`
	Key    string `json:"key,omitempty"` // the sealing key of kind "sealed", 32 bytes
}

// The kinds of store that processes can share.
var (
	files   = []string{"file", "sealed", "sqlite"}
	servers = []string{"postgres", "redis"}
)

// place makes an empty store of a kind. Tests that share a database server use different
// tenants.
func place(t testing.TB, kind string) where {
	t.Helper()
	switch kind {
	case "file":
		return where{Kind: kind, Target: filepath.Join(t.TempDir(), "store")}
	case "sealed":
		return where{Kind: kind, Target: filepath.Join(t.TempDir(), "store"), Key: "32 bytes that are only for tests."[:32]}
	case "sqlite":
		return where{Kind: kind, Target: filepath.Join(t.TempDir(), "store.db")}
	case "postgres":
		return where{Kind: kind, Target: realservers.Postgres(t)}
	case "redis":
		return where{Kind: kind, Target: realservers.Redis(t)}
	}
	t.Fatalf("no store %q", kind)
	return where{}
}

// open opens the store on connections of its own.
func (w where) open(ctx context.Context) (storage.Store, func(), error) {
	closing := func(c interface{ Close() error }) func() { return func() { _ = c.Close() } }
	switch w.Kind {
	case "file":
		s, err := filestore.Open(w.Target)
		return s, func() {}, err
	case "sealed":
		s, err := filestore.Open(w.Target)
		if err != nil {
			return nil, nil, err
		}
		key, err := sealed.KeyFromBytes([]byte(w.Key))
		if err != nil {
			return nil, nil, err
		}
		x, err := sealed.New(s, key)
		return x, func() {}, err
	case "sqlite":
		s, err := sqlitestore.Open(ctx, w.Target)
		if err != nil {
			return nil, nil, err
		}
		return s, closing(s), nil
	case "postgres":
		s, err := pgstore.Open(ctx, w.Target)
		if err != nil {
			return nil, nil, err
		}
		return s, closing(s), nil
	case "redis":
		s, err := redisstore.Open(ctx, w.Target)
		if err != nil {
			return nil, nil, err
		}
		return s, closing(s), nil
	}
	return nil, nil, errors.New("no such store: " + w.Kind)
}

// must opens the store for a test, which fails if that is not possible.
func (w where) must(t testing.TB) storage.Store {
	t.Helper()
	s, end, err := w.open(t.Context())
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", w.Kind, err))
	}
	t.Cleanup(end)
	return s
}
