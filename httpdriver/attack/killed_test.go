package attack_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/pgstore"
	"github.com/stile-oauth/stile/storage/redisstore"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// TestServersThatAreKilled: the server of a store is killed in the middle of refreshes,
// and started again with what it kept. No refresh token is spent twice, nobody logs in
// again, and what was obtained is stored: a process that starts afterwards goes on with
// it.
func TestServersThatAreKilled(t *testing.T) {
	rounds := 1 // and only the last kind of kill
	if long {
		rounds = 6
	}
	for _, kind := range []string{"Redis", "PostgreSQL"} {
		if kind == "PostgreSQL" && !long {
			continue // its server takes seconds to start
		}
		t.Run(kind, func(t *testing.T) {
			var m *realservers.Mortal
			if kind == "Redis" {
				m = realservers.MortalRedis(t)
			} else {
				m = realservers.MortalPostgres(t)
			}
			// A lease whose answer was lost makes others wait to its end.
			const lease = 15 * time.Second
			// Two processes, each with connections of its own.
			var ahead atomic.Int64
			clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			s := begin(t, func(o *httpdriver.Options) { o.Store, o.Clock, o.Policy.LeaseTime = open(t, kind, m.URL), clock, lease })
			other := s.beside(func(o *httpdriver.Options) { o.Store, o.Clock, o.Policy.LeaseTime = open(t, kind, m.URL), clock, lease })
			s.must(ping)

			// The moment of the kill: before the token endpoint is asked, which is found by
			// counting what goes to the store; when it is asked, with the answer still to
			// come; and when it has answered.
			var dies atomic.Int32
			died := make(chan struct{}, 1)
			const never, asked, answered = 0, 1, 2
			s.as.wrap(func(good http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					at := dies.Load()
					if r.URL.Path != "/token" || at == never || !dies.CompareAndSwap(at, never) {
						good.ServeHTTP(w, r)
						return
					}
					if at == asked {
						m.Kill()
						died <- struct{}{}
					}
					good.ServeHTTP(w, r)
					if at == answered {
						_ = http.NewResponseController(w).Flush()
						m.Kill()
						died <- struct{}{}
					}
				})
			})
			for round := range rounds {
				ahead.Add(int64(2 * time.Hour))
				begun, cost := len(s.net.requests()), s.measure()
				var all sync.WaitGroup
				how := (round + answered) % 3
				dies.Store(int32(how))
				for _, x := range []*scene{s, other, s, other} {
					all.Go(func() { // with a dead store it may fail
						if err := x.post(ping); err != nil {
							f, typed := fsm.FaultOf(err)
							if !typed {
								t.Errorf("an error of no type: %v", err)
							}
							s.form(err, f, typed)
						}
					})
				}
				if how == never { // somewhere on the way
					time.Sleep(time.Duration(round) * 2 * time.Millisecond)
					m.Kill()
				}
				if how != never {
					<-died
				}
				if round%2 == 1 {
					all.Wait() // nobody is left to see the server come back
				}
				m.Start()
				all.Wait()
				for _, x := range []*scene{s, other} {
					var err error
					for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
						if err = x.post(ping); err == nil {
							break
						}
						if time.Now().After(end) {
							t.Fatalf("round %d: it does not go on when the store is back: %v", round, err)
						}
					}
				}
				spent := cost.read()
				s.afford(want{within: 3 * time.Minute, requests: 200, memory: 2 * mostMemory}, spent)
				t.Logf("round %d, kill %d: it went on after %v", round, how, spent.took.Round(time.Millisecond))
				refreshed := map[string]int{}
				for _, r := range s.net.requests()[begun:] {
					if r.refresh {
						refreshed[r.form.Get("refresh_token")]++
					}
				}
				for token, n := range refreshed {
					if n > 1 {
						t.Errorf("round %d: a refresh token (%d bytes) was spent %d times", round, len(token), n)
					}
				}
			}
			ahead.Add(int64(2 * time.Hour))
			later := s.beside(func(o *httpdriver.Options) { o.Store, o.Clock, o.Policy.LeaseTime = open(t, kind, m.URL), clock, lease })
			later.must(ping)
			codes := 0
			for _, r := range s.net.requests() {
				if r.form.Get("grant_type") == "authorization_code" {
					codes++
				}
			}
			if codes != 1 {
				t.Errorf("%d logins", codes)
			}
			s.secrets(nil)
		})
	}
}

// open opens a store at a real server.
func open(t *testing.T, kind, url string) storage.Store {
	t.Helper()
	if kind == "Redis" {
		r, err := redisstore.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	p, err := pgstore.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// beside is another process in the same surroundings.
func (s *scene) beside(change ...func(*httpdriver.Options)) *scene {
	s.t.Helper()
	other := &scene{t: s.t, net: s.net, server: s.server, issuer: s.issuer, log: s.log, seen: s.seen, trace: s.trace, issued: s.issued}
	o := s.options()
	for _, c := range change {
		c(&o)
	}
	other.store = o.Store
	var err error
	if other.driver, err = httpdriver.New(o); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = other.driver.Close() })
	if other.client, err = other.driver.Client(other.account()); err != nil {
		s.t.Fatal(err)
	}
	return other
}
