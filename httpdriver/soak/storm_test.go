//go:build unix

package soak_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// queueing is an issuer that handles a limited number of requests at a time, each of which
// takes a while. The others wait for their turn.
type queueing struct {
	workers chan struct{}
	each    time.Duration
	drops   bool          // it does not begin requests that their client has abandoned
	hold    chan struct{} // if set, nothing is answered before this is closed
	down    atomic.Bool
	asked   atomic.Int64
	next    http.Handler
}

func (q *queueing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if q.asked.Add(1); q.down.Load() {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	var left <-chan struct{}
	if q.drops {
		left = r.Context().Done()
	}
	select {
	case q.workers <- struct{}{}:
	case <-left:
		return
	}
	defer func() { <-q.workers }()
	if q.hold != nil {
		<-q.hold
	}
	time.Sleep(q.each)
	q.next.ServeHTTP(w, r)
}

// newQueueing puts a queue before the issuer of a crowd.
func newQueueing(t testing.TB, workers int, each time.Duration, drops bool) (*crowd, *queueing) {
	c := newCrowd(t, 1)
	q := &queueing{workers: make(chan struct{}, workers), each: each, drops: drops, next: http.HandlerFunc(c.token)}
	s := httptest.NewServer(q)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	c.issuer = s
	return c, q
}

func (c *crowd) driver(t testing.TB, store storage.Store, change ...func(*httpdriver.Options)) *httpdriver.Driver {
	t.Helper()
	o := httpdriver.Options{Store: store, Host: httpdriver.UserAgent(func(context.Context, httpdriver.Visit) (string, error) {
		t.Error("a login was asked for")
		return "", context.Canceled
	})}
	if c.own {
		client := robot
		client.Issuer = c.issuer.URL
		o.Policy.Grant, o.Policy.Client = states.OwnGrant, &client
	}
	for _, f := range change {
		f(&o)
	}
	d, err := httpdriver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// storm is a number of accounts whose tokens have expired. All are used at once, at an
// issuer that needs longer than an exchange may take for all of them.
type storm struct {
	accounts int
	workers  int           // of the issuer; 0 is 50
	each     time.Duration // how long one worker needs for a request
	short    bool          // exchanges and leases get two fifths of their usual time
	drops    bool          // the issuer does not begin requests that their client has abandoned
	conns    int           // the client's limit of connections; 0 means none
	own      bool          // the accounts are a client's own (client credentials)
	two      bool          // two drivers over one store, like two processes; both use all accounts
}

// run checks that no token is sent twice and none is lost in the storm. If a time limit
// ran out because the computer was too busy, that proves nothing, so the storm is tried
// again, at most twice.
func (s storm) run(t *testing.T) {
	for try := 1; ; try++ {
		c, lost, slow := s.blow(t)
		refreshes, reuse := c.counts()
		if refreshes == s.accounts && reuse == 0 && lost == 0 {
			return
		}
		if limit := s.httpTime() / 10; slow < limit || try == 3 {
			t.Errorf("%d refreshes of %d accounts, %d sent twice, %d lost; a server that does nothing answered within %v", refreshes, s.accounts, reuse, lost, slow)
			return
		}
		t.Logf("try %d: %d sent twice, %d lost, and a server that does nothing needed %v for an answer", try, reuse, lost, slow)
	}
}

// httpTime is how long an exchange may take.
func (s storm) httpTime() time.Duration {
	if s.short {
		return 6 * time.Second
	}
	return 15 * time.Second
}

// pace asks a server that does nothing, again and again, until over is closed. It gives
// the longest time that an answer took: so much of any exchange's time went to the
// computer.
func pace(t *testing.T, over <-chan struct{}) (slow time.Duration) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	for {
		select {
		case <-over:
			return slow
		case <-time.After(10 * time.Millisecond):
		}
		asked := time.Now()
		res, err := s.Client().Get(s.URL)
		if err != nil {
			t.Error(err)
			return slow
		}
		_ = res.Body.Close()
		slow = max(slow, time.Since(asked))
	}
}

// blow runs the storm once. slow is what pace found meanwhile.
func (s storm) blow(t *testing.T) (c *crowd, lost int64, slow time.Duration) {
	accounts := s.accounts
	c, _ = newQueueing(t, cmp.Or(s.workers, 50), s.each, s.drops)
	c.own = s.own
	store := storage.NewMemory()
	c.settle(t, store, accounts)
	process := func() *httpdriver.Driver {
		tr := http.DefaultTransport.(*http.Transport).Clone()
		tr.MaxConnsPerHost = s.conns
		return c.driver(t, store, func(o *httpdriver.Options) {
			o.Transport = tr
			if s.short {
				o.Policy.HTTPTime, o.Policy.LeaseTime = s.httpTime(), 24*time.Second
			}
		})
	}
	processes := []*httpdriver.Driver{process()}
	if s.two {
		processes = append(processes, process())
	}
	began := time.Now()
	var all, looking sync.WaitGroup
	over := make(chan struct{})
	looking.Go(func() { slow = pace(t, over) })
	var failed atomic.Int64
	for i := range accounts {
		for _, d := range processes {
			all.Go(func() {
				a, _, _ := c.account(i)
				if _, err := d.Token(t.Context(), a); err != nil && failed.Add(1) == 1 {
					t.Log(err)
				}
			})
		}
	}
	all.Wait()
	close(over)
	looking.Wait()
	_, reuse := c.counts()
	t.Logf("%s: %d accounts in %v: %d sent twice, %d lost", t.Name(), accounts, time.Since(began).Round(time.Millisecond), reuse, failed.Load())
	return c, failed.Load(), slow
}

// TestStorm: nothing is sent twice and nothing is lost when many accounts expire at once
// at an issuer that queues, with and without a limit of connections, whether or not the
// issuer drops requests that their client has abandoned.
func TestStorm(t *testing.T) {
	for _, s := range []struct {
		name  string
		drops bool
		conns int
	}{{"drops", true, 0}, {"keeps", false, 0}, {"drops, 20 connections", true, 20}, {"keeps, 20 connections", false, 20}} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel() // all wait
			storm{accounts: 1000, workers: 10, each: 80 * time.Millisecond, short: true, drops: s.drops, conns: s.conns}.run(t)
		})
	}
}

// TestStormOwn: a client has tokens in its own name (client credentials) for 500 resources.
// They expire at once in two processes over one store, and for all of them the issuer needs
// longer than an exchange may take. One token is requested for each resource, and nobody
// gets an error.
func TestStormOwn(t *testing.T) {
	for _, drops := range []bool{true, false} {
		t.Run(fmt.Sprintf("drops %t", drops), func(t *testing.T) {
			t.Parallel() // both wait
			storm{accounts: 500, workers: 10, each: 160 * time.Millisecond, short: true, drops: drops, own: true, two: true}.run(t)
		})
	}
}

// TestIssuerReturns: an issuer that answers 503 is tried by one refresh per second, for any
// account, even by a process that never held a token. When the issuer is back, all
// accounts go on within two seconds.
func TestIssuerReturns(t *testing.T) {
	for _, warm := range []bool{false, true} {
		name := map[bool]string{false: "cold", true: "warm"}[warm]
		t.Run(name, func(t *testing.T) {
			t.Parallel() // both wait
			const accounts, away = 200, 5 * time.Second
			c, q := newQueueing(t, 50, time.Millisecond, true)
			store := storage.NewMemory()
			c.settle(t, store, accounts)
			var ahead atomic.Int64
			d := c.driver(t, store, func(o *httpdriver.Options) {
				o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			})
			served := make([]atomic.Int64, accounts) // the time, in ms since the run began
			began := time.Now()
			use := func(until time.Time) {
				var wg sync.WaitGroup
				for i := range accounts {
					wg.Go(func() {
						a, _, _ := c.account(i)
						for time.Now().Before(until) {
							_, err := d.Token(t.Context(), a)
							if err == nil {
								served[i].Store(time.Since(began).Milliseconds())
								return
							}
							if f, ok := fsm.FaultOf(err); !ok || !f.Transient {
								t.Error(err)
								return
							}
							time.Sleep(100 * time.Millisecond) // a user who tries again
						}
					})
				}
				wg.Wait()
			}
			if warm {
				use(time.Now().Add(time.Minute))
				ahead.Store(int64(2 * time.Hour))
			}
			q.asked.Store(0)
			q.down.Store(true)
			began = time.Now()
			time.AfterFunc(away, func() { q.down.Store(false) })
			var atReturn atomic.Int64
			time.AfterFunc(away-10*time.Millisecond, func() { atReturn.Store(q.asked.Load()) })
			use(time.Now().Add(away + 20*time.Second))
			latest := int64(0)
			for i := range served {
				latest = max(latest, served[i].Load())
			}
			after := time.Duration(latest)*time.Millisecond - away
			t.Logf("%d accounts, %v away: %d requests to the issuer meanwhile (%.1f each); all served %v after its return",
				accounts, away, atReturn.Load(), float64(atReturn.Load())/accounts, after)
			bound := 2 * time.Second
			if instrumented { // 200 accounts at once also cost time in the detector
				bound = 5 * time.Second
			}
			if after > bound {
				t.Errorf("the last account was served %v after the return", after)
			}
			// When the first refresh fails, as many others as there are slots are on their way.
			// After that there is one refresh per second, of three tries.
			if most := int64(64*3 + 3*(int(away/time.Second)+1)); atReturn.Load() > most {
				t.Errorf("%d requests to an issuer that is down, more than %d", atReturn.Load(), most)
			}
		})
	}
}
