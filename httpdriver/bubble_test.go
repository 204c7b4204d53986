package httpdriver_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// The tests of this file run in a bubble of time (testing/synctest), on a network in
// memory, so that time limits are met exactly and waited for by nobody.

// inBubble gives a world in a bubble of time.
func inBubble(t *testing.T, f func(t *testing.T, w *world), change ...func(setup)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, err := beginOn(&memnet{}, change...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.end)
		w.options.Transport = &http.Transport{DialContext: w.net.dial}
		user := &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}
		w.options.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) { return followBy(ctx, user, v) })
		f(t, w)
	})
}

// near reports whether something took as long as it should, give or take a little.
func near(got, want, more time.Duration) bool { return got >= want && got <= want+more }

// slowly holds up requests to a path for a time, as long as it is switched on.
type slowly struct {
	path string
	wait time.Duration
	on   atomic.Bool
}

func (s *slowly) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if s.on.Load() && strings.HasPrefix(r.URL.Path, s.path) {
			select {
			case <-time.After(s.wait):
			case <-r.Context().Done():
				return
			}
		}
		h.ServeHTTP(rw, r)
	})
}

// TestHowLongDocumentsAreKept: a document is used again for as long as its server allows,
// less the age that it had, and for an hour at most.
func TestHowLongDocumentsAreKept(t *testing.T) {
	for _, c := range []struct {
		control, age string
		kept, gone   time.Duration
	}{
		{"max-age=60", "", 59 * time.Second, 61 * time.Second},
		{`public, Max-Age="60"`, "", 59 * time.Second, 61 * time.Second},
		{"max-age=60", "20", 39 * time.Second, 41 * time.Second},
		{"max-age=60", "many", 59 * time.Second, 61 * time.Second},
		{"max-age=7200", "", 59 * time.Minute, 61 * time.Minute},
		{"max-age=2147483647", "", 59 * time.Minute, 61 * time.Minute},
		{"max-age=4294967296", "", 0, time.Second},
		{"max-age=60", "60", 0, time.Second},
		{"max-age=60", "18446744074", 0, time.Second},
		{"max-age=36000", "40000", 0, time.Second},
		{"max-age=0x99", "", 0, time.Second},
		{"max-age=600, No-Store", "", 0, time.Second},
		{"no-cache, max-age=600", "", 0, time.Second},
		{"private, max-age=600", "", 0, time.Second},
		{"s-maxage=600", "", 0, time.Second},
	} {
		t.Run(c.control+" "+c.age, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				d := w.driver(t)
				login := func(user string) int {
					w.Tap.reset()
					a := w.account()
					a.Subject = user
					if err := d.Login(t.Context(), a); err != nil {
						t.Fatal(err)
					}
					return w.Tap.count("as", "/.well-known/oauth-authorization-server")
				}
				login("one")
				time.Sleep(c.kept)
				if n := login("two"); c.kept > 0 && n != 0 {
					t.Errorf("after %v it is fetched again", c.kept)
				}
				time.Sleep(c.gone - c.kept)
				if n := login("three"); n != 1 {
					t.Errorf("after %v it is fetched %d times", c.gone, n)
				}
			}, func(s setup) {
				s.Wrap["as"] = func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						rec := httptest.NewRecorder()
						next.ServeHTTP(rec, r)
						for name, values := range rec.Header() {
							w.Header()[name] = values
						}
						w.Header().Set("Cache-Control", c.control)
						if c.age != "" {
							w.Header().Set("Age", c.age)
						}
						w.WriteHeader(rec.Code)
						_, _ = w.Write(rec.Body.Bytes())
					})
				}
			})
		})
	}
}

// TestAnotherProcessRegisters: a login waits for the registration of another process and
// uses it; when that process has died it registers itself, after 20 seconds.
func TestAnotherProcessRegisters(t *testing.T) {
	registering := &slowly{path: "/register", wait: 5 * time.Second}
	t.Run("and succeeds", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			registering.on.Store(true)
			began := time.Now()
			done := make(chan error, 2)
			for _, name := range []string{"one", "two"} {
				d := w.driver(t)
				a := w.account()
				a.Name = name
				go func() { done <- d.Login(t.Context(), a) }()
			}
			for range 2 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			if n := w.Tap.count("as", "/register"); n != 1 || !near(time.Since(began), 5*time.Second, 400*time.Millisecond) {
				t.Errorf("%d registrations, after %v", n, time.Since(began))
			}
		}, func(s setup) { s.Wrap["as"] = registering.wrap })
	})
	t.Run("and died", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			taken := &leased{Store: w.Store}
			if err := w.driver(t, func(o *httpdriver.Options) { o.Store = taken }).Login(t.Context(), w.account()); err != nil {
				t.Fatal(err)
			}
			if len(taken.keys) == 0 || taken.keys[0].Kind != states.KindRegistration || taken.spans[0] != 20*time.Second {
				t.Fatalf("leases of %v, for %v", taken.keys, taken.spans)
			}
			key := taken.keys[0]
			e, err := w.Store.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Store.Delete(t.Context(), key, e.Generation); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Store.Lease(t.Context(), key, time.Hour); err != nil {
				t.Fatal(err)
			}
			w.Tap.reset()
			began := time.Now()
			a := w.account()
			a.Name = "another"
			if err := w.driver(t).Login(t.Context(), a); err != nil {
				t.Error(err)
			}
			if n := w.Tap.count("as", "/register"); n != 1 || !near(time.Since(began), 20*time.Second, 400*time.Millisecond) {
				t.Errorf("%d registrations, after %v", n, time.Since(began))
			}
		})
	})
}

// leased is a store that remembers which leases were taken.
type leased struct {
	storage.Store
	keys  []states.Key
	spans []time.Duration
}

func (l *leased) Lease(ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
	l.keys, l.spans = append(l.keys, k), append(l.spans, ttl)
	return l.Store.Lease(ctx, k, ttl)
}

// TestEndpointInTrouble: while a token endpoint is in trouble, one refresh a second tries
// it, of whichever account; when one gets an answer, all go on.
func TestEndpointInTrouble(t *testing.T) {
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusRequestTimeout} {
		t.Run(http.StatusText(status), func(t *testing.T) { endpointInTrouble(t, status) })
	}
}

func endpointInTrouble(t *testing.T, status int) {
	var down atomic.Bool
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		accounts := []string{"one", "two", "three"}
		client := func(name string) *http.Client {
			a := w.account()
			a.Name = name
			c, err := d.Client(a)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		for _, name := range accounts {
			w.call(t, client(name))
		}
		time.Sleep(2 * time.Hour)
		down.Store(true)
		tried := func() int { // one run may try more than once
			different := map[string]bool{}
			for _, s := range w.Tap.requests() {
				if s.form("grant_type") == "refresh_token" {
					different[s.form("refresh_token")] = true
				}
			}
			return len(different)
		}
		try := func() (answered int) {
			w.Tap.reset()
			for _, name := range accounts {
				if _, _, err := w.post(t.Context(), client(name), ping); err == nil {
					answered++
				} else if f, ok := fsm.FaultOf(err); !ok || !f.Transient {
					t.Errorf("%s: %v", name, err)
				}
			}
			return answered
		}
		if n := try(); n != 0 || tried() != 1 {
			t.Errorf("at first: %d answered, %d refreshes tried", n, tried())
		}
		for i := range 3 {
			time.Sleep(900 * time.Millisecond)
			if try(); tried() != 0 {
				t.Errorf("second %d: %d refreshes too early", i, tried())
			}
			time.Sleep(200 * time.Millisecond)
			if try(); tried() != 1 {
				t.Errorf("second %d: %d refreshes", i, tried())
			}
		}
		down.Store(false)
		time.Sleep(1100 * time.Millisecond)
		if n := try(); n != 3 || w.Tap.grants("refresh_token") != 3 {
			t.Errorf("at the end: %d answered, %d refreshes", n, w.Tap.grants("refresh_token"))
		}
	}, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if down.Load() && r.URL.Path == "/token" {
					http.Error(rw, "down", status)
					return
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
}

// TestCloseWaitsForWhatCounts: Close ends a request for metadata at once; a code or a
// refresh under way gets 20 seconds, because its answer must not be lost.
func TestCloseWaitsForWhatCounts(t *testing.T) {
	for _, c := range []struct {
		path string
		want time.Duration
		wait time.Duration
	}{
		{"/.well-known/", 0, time.Hour}, {"/token", 20 * time.Second, time.Hour}, {"/token", 12 * time.Second, 12 * time.Second},
	} {
		s := &slowly{path: c.path, wait: c.wait}
		s.on.Store(true)
		inBubble(t, func(t *testing.T, w *world) {
			d := w.driver(t, func(o *httpdriver.Options) { o.Policy.HTTPTime = time.Minute })
			done := make(chan error, 1)
			go func() { done <- d.Login(t.Context(), w.account()) }()
			time.Sleep(time.Second)
			began := time.Now()
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); !near(took, c.want-time.Second, 1100*time.Millisecond) {
				t.Errorf("%s, answered after %v: Close took %v", c.path, c.wait, took)
			}
			err := <-done
			st, serr := w.driver(t).Status(t.Context(), w.account())
			if serr != nil || st.LoggedIn != (c.wait < time.Minute) || (err == nil) != st.LoggedIn {
				t.Errorf("%s, answered after %v: %v, then %+v %v", c.path, c.wait, err, st, serr)
			}
		}, func(p setup) { p.Wrap["as"] = s.wrap })
	}
}

// TestSlowIsTold: an answer that takes longer than ten seconds is told once, with who is
// waited for and for what, to a function of the host and to the log, or to one of them; a
// quicker one is not.
func TestSlowIsTold(t *testing.T) {
	for wait, want := range map[time.Duration]int{9 * time.Second: 0, 11 * time.Second: 1} {
		for _, to := range []string{"the host", "the log", "the host and the log"} {
			s := &slowly{path: "/.well-known/oauth-authorization-server", wait: wait}
			s.on.Store(true)
			inBubble(t, func(t *testing.T, w *world) {
				var told []httpdriver.Slow
				var log page
				began := time.Now()
				d := w.driver(t, func(o *httpdriver.Options) {
					if to != "the host" {
						o.Logger = slog.New(slog.NewTextHandler(&log, nil))
					}
					if to != "the log" {
						o.Slow = func(s httpdriver.Slow) {
							if told = append(told, s); !near(time.Since(began), 10*time.Second, time.Second) {
								t.Errorf("told after %v", time.Since(began))
							}
							panic("the host")
						}
					}
				})
				w.call(t, w.client(t, d))
				synctest.Wait() // for the goroutine that tells
				logged, failed := strings.Count(log.String(), "an answer takes long"), strings.Count(log.String(), "a slow answer was not told")
				if to != "the log" && len(told) != want || to != "the host" && logged != want || to != "the host" && (failed > 0) != (len(told) > 0) {
					t.Fatalf("%v, to %s: told %d times; the log:\n%s", wait, to, len(told), log.String())
				}
				for _, s := range told {
					if s.Account != w.account() || !strings.HasSuffix(w.ASURL, "//"+s.Host) || s.Doing == "" || s.Waited != 10*time.Second {
						t.Errorf("%+v", s)
					}
				}
			}, func(p setup) { p.Wrap["as"] = s.wrap })
		}
	}
}

// TestServerSilentBeforeLogin: a login waits ten seconds for what the server asks for, and
// then goes on without that.
func TestServerSilentBeforeLogin(t *testing.T) {
	s := &slowly{path: "/mcp", wait: time.Hour}
	s.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		began := time.Now()
		if err := w.driver(t).Login(t.Context(), w.account()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); !near(took, 10*time.Second, time.Second) {
			t.Errorf("it took %v", took)
		}
	}, func(p setup) { p.Wrap["rs"] = s.wrap })
}

// silentStore is a store that does not answer questions about one kind of entry.
type silentStore struct {
	storage.Store
	kind states.Kind
	on   atomic.Bool
}

func (s *silentStore) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if s.on.Load() && k.Kind == s.kind {
		<-ctx.Done()
		return storage.Entry{}, ctx.Err()
	}
	return s.Store.Get(ctx, k)
}

// TestSilentStore: a question to a store ends after 15 seconds.
func TestSilentStore(t *testing.T) {
	for _, c := range []struct {
		kind states.Kind
		bind states.TokenBinding
	}{{states.KindCredential, states.NoBinding}, {states.KindProofKey, states.TryBinding}} {
		inBubble(t, func(t *testing.T, w *world) {
			store := &silentStore{Store: w.Store, kind: c.kind}
			store.on.Store(true)
			d := w.driver(t, func(o *httpdriver.Options) { o.Store, o.Policy.Binding = store, c.bind })
			began := time.Now()
			_, _, err := w.post(t.Context(), w.client(t, d), ping)
			if took := time.Since(began); err == nil || !near(took, 15*time.Second, time.Second) {
				t.Errorf("%s: %v, after %v", c.kind, err, took)
			}
			time.Sleep(time.Minute)
			store.on.Store(false)
			w.call(t, w.client(t, d))
		})
	}
}

// TestHostDoesNotEnd: a host that does not heed the end of its Visit holds up the end of
// a login by two seconds.
func TestHostDoesNotEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		release := make(chan struct{})
		next := w.options.Host
		d := w.driver(t, func(o *httpdriver.Options) { o.Host = &unending{next, release} })
		began := time.Now()
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 0 && !near(took, 2*time.Second, time.Second) {
			t.Errorf("the login took %v", took)
		}
		if err := d.Login(t.Context(), w.account()); err != nil { // after the end of the first
			t.Error(err)
		}
		if took := time.Since(began); !near(took, 2*time.Second, 2*time.Second) {
			t.Errorf("both took %v", took)
		}
		close(release)
	})
}

// unending is a Host whose Visits do not return before they are released.
type unending struct {
	httpdriver.Host
	release chan struct{}
}

func (u *unending) Bind(ctx context.Context, preferred []string) (httpdriver.Listener, error) {
	l, err := u.Host.Bind(ctx, preferred)
	return unendingVisit{l, u.release}, err
}

type unendingVisit struct {
	httpdriver.Listener
	release chan struct{}
}

func (u unendingVisit) Visit(ctx context.Context, v httpdriver.Visit, back func(string) httpdriver.Answer) error {
	err := u.Listener.Visit(ctx, v, back)
	<-u.release
	return err
}
