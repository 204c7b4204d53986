//go:build soak

package httpdriver_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// heap is what is in use after everything that can be let go was let go.
func heap() uint64 {
	for range 4 { // cleanups run after a collection, and free more
		runtime.GC()
		runtime.Gosched()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestMemoryPerCredential prints what a credential costs in memory and holds it
// to a bound: 1,000,000 that are at rest, in the driver and in storage.Memory;
// up to 100,000 with a token at hand.
func TestMemoryPerCredential(t *testing.T) {
	value := record(t)
	t.Run("at rest, in the driver", func(t *testing.T) {
		const n = 1_000_000
		before := heap()
		d, err := httpdriver.New(httpdriver.Options{Store: oneRecord{value: value}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		touch(t, d, 0, n)
		per := float64(heap()-before) / n
		t.Logf("%d credentials used once, 10,000 of them kept in memory: %.0f bytes each", n, per)
		if per > 64 {
			t.Errorf("%.0f bytes for a credential at rest", per)
		}
		runtime.KeepAlive(d)
	})
	t.Run("at rest, in storage.Memory", func(t *testing.T) {
		const n = 1_000_000
		before := heap()
		s := storage.NewMemory()
		for i := range n {
			a := subject(i)
			if _, err := s.Put(t.Context(), states.Key{Kind: states.KindCredential, Tenant: a.Tenant, Subject: a.Subject, Name: a.Server}, value, 0, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		per := float64(heap()-before) / n
		t.Logf("%d credentials of %d bytes in storage.Memory: %.0f bytes each", n, len(value), per)
		if per > float64(len(value))+700 {
			t.Errorf("%.0f bytes for a record of %d", per, len(value))
		}
		runtime.KeepAlive(s)
	})
	t.Run("live", func(t *testing.T) {
		d, err := httpdriver.New(httpdriver.Options{Store: oneRecord{value: value}, IdleBytes: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		before, grown := heap(), 0
		for _, n := range []int{1_000, 10_000, 100_000} {
			touch(t, d, grown, n)
			grown = n
			per := float64(heap()-before) / float64(n)
			t.Logf("%d live: %.0f bytes each", n, per)
			if per > 3<<10 {
				t.Errorf("%.0f bytes for a live credential", per)
			}
		}
		runtime.KeepAlive(d)
	})
}
