//go:build soak && unix

package soak_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/storage"
)

// TestStoresLong: with each store, 2,000 accounts expire at once in one process, at an
// issuer that takes almost no time. The test logs how many refreshes per second the store
// manages on this computer.
func TestStoresLong(t *testing.T) {
	for _, kind := range []string{"memory", "file", "sealed", "sqlite", "postgres", "redis"} {
		t.Run(kind, func(t *testing.T) {
			const accounts = 2000
			c := newCrowd(t, 1)
			var store storage.Store = storage.NewMemory()
			if kind != "memory" {
				store = place(t, kind).must(t)
			}
			c.settle(t, store, accounts)
			d := c.driver(t, store)
			began := time.Now()
			var wg sync.WaitGroup
			var failed atomic.Int64
			for i := range accounts {
				wg.Go(func() {
					a, _, _ := c.account(i)
					if _, err := d.Token(t.Context(), a); err != nil && failed.Add(1) == 1 {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			took := time.Since(began)
			c.mu.Lock()
			defer c.mu.Unlock()
			t.Logf("%s: %.0f refreshes a second, %d sent twice, %d errors", t.Name(), accounts/took.Seconds(), c.reuse, failed.Load())
			if c.refreshes != accounts || c.reuse > 0 || failed.Load() > 0 {
				t.Errorf("%d refreshes of %d accounts", c.refreshes, accounts)
			}
		})
	}
}
