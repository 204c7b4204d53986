//go:build soak

package httpdriver_test

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// oneRecord is a store outside this process: it answers for any account with
// one and the same credential, and keeps nothing.
type oneRecord struct {
	storage.Store
	value []byte
}

func (s oneRecord) Get(_ context.Context, k states.Key) (storage.Entry, error) {
	if k.Kind != states.KindCredential {
		return storage.Entry{}, storage.ErrNotFound
	}
	return storage.Entry{Value: s.value, Generation: 1}, nil
}

// record is a credential as a login leaves it.
func record(tb testing.TB) []byte {
	store := storage.NewMemory()
	d, err := httpdriver.New(httpdriver.Options{
		Store: store, Send: over(newMemory()),
		Policy: httpdriver.Policy{Redirects: []string{"http://127.0.0.1:39323/callback"}},
		Host: httpdriver.UserAgent(func(_ context.Context, v httpdriver.Visit) (string, error) {
			return v.RedirectURI + "?" + redirect(v.URL).Encode(), nil
		}),
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Login(tb.Context(), httpdriver.Account{Server: benchServer}); err != nil {
		tb.Fatal(err)
	}
	e, err := store.Get(tb.Context(), states.Key{Kind: states.KindCredential, Name: benchServer})
	if err != nil {
		tb.Fatal(err)
	}
	c, err := states.DecodeCredential(wire.Secret(e.Value))
	if err != nil {
		tb.Fatal(err)
	}
	c.Current.Expires = time.Now().Add(24 * time.Hour)
	value, err := states.Encode(c)
	if err != nil {
		tb.Fatal(err)
	}
	return []byte(value.Reveal())
}

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

func subject(i int) httpdriver.Account {
	return httpdriver.Account{Server: benchServer, Tenant: "tenant", Subject: "user-" + strconv.Itoa(i)}
}

// touch uses accounts first to last once.
func touch(tb testing.TB, d *httpdriver.Driver, first, last int) {
	for i := first; i < last; i++ {
		if _, err := d.Token(tb.Context(), subject(i)); err != nil {
			tb.Fatal(err)
		}
	}
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
		d, err := httpdriver.New(httpdriver.Options{Store: oneRecord{value: value}, MaxIdle: 200_000})
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
