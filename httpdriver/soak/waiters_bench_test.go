//go:build unix

package soak_test

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// BenchmarkWaiters: eight processes need the same expired token. One of them refreshes it,
// at an issuer that answers once the others wait. The benchmark reports how much later
// than that one the others have the token, in milliseconds: half of them, and the last.
func BenchmarkWaiters(b *testing.B) {
	const processes = 8
	for _, kind := range []string{"postgres", "redis", "sqlite", "file"} {
		b.Run(kind, func(b *testing.B) {
			c, q := newQueueing(b, processes, 0, false)
			var gate atomic.Pointer[chan struct{}]
			asked := make(chan struct{}, processes)
			token := q.next
			q.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- struct{}{}
				<-*gate.Load()
				token.ServeHTTP(w, r)
			})
			w := place(b, kind)
			c.settle(b, w.must(b), b.N)
			all := make([]*httpdriver.Driver, processes)
			for i := range all {
				all[i] = c.driver(b, w.must(b))
			}
			var late []time.Duration
			b.ResetTimer()
			for n := range b.N {
				a, _, _ := c.account(n)
				closed := make(chan struct{})
				gate.Store(&closed)
				served := make([]time.Time, processes)
				var wg sync.WaitGroup
				one := func(i int) {
					wg.Go(func() {
						if _, err := all[i].Token(b.Context(), a); err != nil {
							b.Error(err)
						}
						served[i] = time.Now()
					})
				}
				one(0)
				<-asked
				for i := 1; i < processes; i++ {
					one(i)
				}
				time.Sleep(300 * time.Millisecond) // by now all the others wait
				close(closed)
				wg.Wait()
				for _, at := range served[1:] {
					late = append(late, max(0, at.Sub(served[0])))
				}
			}
			slices.Sort(late)
			b.ReportMetric(float64(late[len(late)/2].Microseconds())/1000, "ms-median")
			b.ReportMetric(float64(late[len(late)-1].Microseconds())/1000, "ms-last")
			if c.refreshes != b.N || c.reuse > 0 {
				b.Errorf("%d refreshes for %d tokens, %d sent twice", c.refreshes, b.N, c.reuse)
			}
		})
	}
}
