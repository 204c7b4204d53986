//go:build unix

package soak_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage"
)

// TestHeapPerRefresh: what a refresh in flight takes in memory, stacks included, when
// all are at the issuer at once over HTTP, and when most wait for their turn.
func TestHeapPerRefresh(t *testing.T) {
	for name, most := range map[string]int{"all at the issuer": 1000, "64 at the issuer": 64} {
		t.Run(name, func(t *testing.T) {
			const accounts, bound = 1000, 40 << 10
			c, q := newQueueing(t, accounts, 0, false)
			q.hold = make(chan struct{})
			store := storage.NewMemory()
			c.settle(t, store, accounts)
			d := c.driver(t, store, func(o *httpdriver.Options) { o.MaxRefreshes = most })
			before := inUse()
			var wg sync.WaitGroup
			for i := range accounts {
				wg.Go(func() {
					a, _, _ := c.account(i)
					if _, err := d.Token(t.Context(), a); err != nil {
						t.Error(err)
					}
				})
			}
			for end := time.Now().Add(10 * time.Second); q.asked.Load() < int64(most) && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
			during := inUse()
			close(q.hold)
			wg.Wait()
			// The issuer is in this process as well: its connections and goroutines count.
			per := (during - before) / accounts
			if instrumented {
				per = per * 4 / 5 // 90 kB were measured with the detector where 73 kB were without
			}
			t.Logf("%s: %d bytes for each of %d refreshes, the server's side included for %d", t.Name(), per, accounts, q.asked.Load())
			if most == 64 && per > bound {
				t.Errorf("%d bytes for a refresh that waits", per)
			}
			if most == accounts && per > 2*bound {
				t.Errorf("%d bytes for a refresh and the server's side of it", per)
			}
		})
	}
}

// inUse is the heap and the stacks after a collection.
func inUse() int {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
