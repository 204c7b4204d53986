package bearer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// asking is an introspection endpoint that takes its time, and counts how many ask it
// at once.
type asking struct {
	takes          time.Duration
	inFlight, most atomic.Int64
}

func (a *asking) RoundTrip(r *http.Request) (*http.Response, error) {
	n := a.inFlight.Add(1)
	defer a.inFlight.Add(-1)
	for m := a.most.Load(); n > m && !a.most.CompareAndSwap(m, n); m = a.most.Load() {
	}
	time.Sleep(a.takes)
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	answer := answers(`{"active":false}`)
	if user := r.PostForm.Get("token"); strings.HasPrefix(user, "user-") {
		answer = answers(`{"active":true,"iss":"https://as.example","sub":"` + user + `","aud":"` + mcp + `","scope":"user","exp":99999999999}`)
	}
	return answer.RoundTrip(r)
}

// BenchmarkFloodOfJunk measures what users wait whose tokens are good, in a calm second and
// in one at whose beginning 5,000 unknown tokens arrive at once, in turn. An introspection takes 10 ms,
// and a token is asked about again after 100 ms: more than one request in a hundred.
func BenchmarkFloodOfJunk(b *testing.B) {
	const users, wave, bound = 40, 5000, 64
	as := &asking{takes: 10 * time.Millisecond}
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{
		URL: "https://as.example/introspect", ClientID: "rs", ClientSecret: "s",
		Client: &http.Client{Transport: as}, CacheFor: 100 * time.Millisecond, MaxInFlight: bound,
	})
	if err != nil {
		b.Fatal(err)
	}
	h := guardWith(b, v)
	call := func(token string) int {
		r, err := http.NewRequestWithContext(context.Background(), "POST", mcp, http.NoBody)
		if err != nil {
			b.Error(err)
			return 0
		}
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	// second has all users make requests for a second, in which f runs, and gives what each
	// request waited.
	second := func(f func()) []time.Duration {
		var wg sync.WaitGroup
		waits := make([][]time.Duration, users)
		end := time.Now().Add(time.Second)
		for i := range users {
			wg.Go(func() {
				for time.Now().Before(end) {
					began := time.Now()
					if code := call(fmt.Sprint("user-", i)); code != http.StatusOK {
						b.Errorf("a user is answered with %d", code)
					}
					waits[i] = append(waits[i], time.Since(began))
					time.Sleep(3 * time.Millisecond)
				}
			})
		}
		f()
		wg.Wait()
		return slices.Concat(waits...)
	}
	p99 := func(waits []time.Duration) time.Duration {
		slices.Sort(waits)
		return waits[len(waits)*99/100]
	}
	nothing := func() {}
	second(nothing) // tokens are known from here on
	var calmly, meanwhile []time.Duration
	junk := 0
	b.ResetTimer()
	for range b.N {
		calmly = append(calmly, second(nothing)...)
		meanwhile = append(meanwhile, second(func() {
			var wg sync.WaitGroup
			for range wave {
				token := fmt.Sprint("junk-", junk)
				junk++
				wg.Go(func() {
					if code := call(token); code != http.StatusUnauthorized && code != http.StatusServiceUnavailable {
						b.Errorf("junk is answered with %d", code)
					}
				})
			}
			wg.Wait()
		})...)
	}
	calm, flood := p99(calmly), p99(meanwhile)
	b.ReportMetric(float64(calm.Microseconds())/1000, "p99-calm-ms")
	b.ReportMetric(float64(flood.Microseconds())/1000, "p99-flood-ms")
	b.ReportMetric(float64(flood)/float64(calm), "times-as-long")
	b.ReportMetric(float64(as.most.Load()), "asked-at-once")
	if as.most.Load() > bound {
		b.Errorf("%d introspections at once", as.most.Load())
	}
}
