//go:build unix

package httpdriver_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// gateway is a driver that looks the account up for each request, as a gateway does: it
// reads the user's name out of the request, so the name is not kept anywhere.
type gateway struct {
	d        *httpdriver.Driver
	store    *countedReads
	accounts int
	spent    time.Duration
	cpu      time.Duration
}

// countedReads counts how often the store is read.
type countedReads struct {
	oneRecord
	n atomic.Int64
}

func (s *countedReads) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	s.n.Add(1)
	return s.oneRecord.Get(ctx, k)
}

// newGateway makes one whose accounts have all made a request; room is for so many.
func newGateway(tb testing.TB, value []byte, accounts, room int) *gateway {
	g := &gateway{store: &countedReads{oneRecord: oneRecord{value: value}}, accounts: accounts}
	d, err := httpdriver.New(httpdriver.Options{Store: g.store, IdleBytes: int64(room) * sessionSize(tb, value)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = d.Close() })
	g.d = d
	touch(tb, d, 0, accounts)
	g.store.n.Store(0)
	return g
}

// callers is how many requests are under way at once.
const callers = 256

// serve makes n requests for accounts in any order.
func (g *gateway) serve(tb testing.TB, n int, req *http.Request) {
	began, used := time.Now(), processorTime(tb)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range n / callers {
				t, err := g.d.Transport(subject(rand.IntN(g.accounts)), done)
				if err == nil {
					_, err = t.RoundTrip(req)
				}
				if err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	g.spent += time.Since(began)
	g.cpu += processorTime(tb) - used
}

// BenchmarkAccounts compares requests for 10,000 accounts that there is room for with
// requests for 100,000, a tenth more than there is room for. Both take turns, which are long:
// in a gateway's process is no other gateway, whose garbage would have accounts collected
// that could still be found.
func BenchmarkAccounts(b *testing.B) {
	const turn = 800 * callers
	value := takenRecord(b)
	few, many := newGateway(b, value, 10_000, 20_000), newGateway(b, value, 100_000, 100_000*10/11)
	req := warmRequest(b)
	made := 0
	b.ResetTimer()
	for made < b.N {
		few.serve(b, turn, req)
		many.serve(b, turn, req)
		made += turn
	}
	reads := float64(many.store.n.Load()) / float64(made)
	b.ReportMetric(float64(few.spent.Nanoseconds())/float64(made), "ns/fit")
	b.ReportMetric(float64(many.spent.Nanoseconds())/float64(made), "ns/over")
	b.ReportMetric(float64(many.spent)/float64(few.spent), "times-as-long")
	b.ReportMetric(float64(many.cpu)/float64(few.cpu), "times-the-processor")
	b.ReportMetric(reads, "reads/op")
	b.ReportMetric((float64(many.spent-few.spent)/max(reads, 1e-9))/float64(few.spent), "read/hit")
	if n := few.store.n.Load(); n > 0 {
		b.Errorf("%d accounts that fit were read again", n)
	}
}

// takenRecord is a credential whose token the server took long ago.
func takenRecord(tb testing.TB) []byte {
	c, err := states.DecodeCredential(wire.Secret(record(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	c.Current.Climbed = states.Ladder{}
	text, err := states.Encode(c)
	if err != nil {
		tb.Fatal(err)
	}
	return []byte(text.Reveal())
}

// BenchmarkStoredToken is the first request of an account in this process, whose token is
// in the store.
func BenchmarkStoredToken(b *testing.B) {
	d, err := httpdriver.New(httpdriver.Options{Store: oneRecord{value: takenRecord(b)}, IdleBytes: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	req := warmRequest(b)
	all := make([]httpdriver.Account, 100_000)
	for i := range all {
		all[i] = subject(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		t, err := d.Transport(all[i%len(all)], done)
		if err == nil {
			_, err = t.RoundTrip(req)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// sessionSize is what the driver takes for the size of an account with a token.
func sessionSize(b testing.TB, value []byte) int64 {
	d, err := httpdriver.New(httpdriver.Options{Store: oneRecord{value: value}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	touch(b, d, 0, 1)
	return d.SessionBytes(subject(0))
}

// processorTime is what the process has used of the processor, the collector's work
// included. What other programs use does not count.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
