package httpdriver_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/storage"
)

// The tests of this file look from outside whether the driver uses the guards
// that other packages and the machine have.

// TestVisitsStayOutside: a user is not sent to an address inside their network
// that an authorization server names.
func TestVisitsStayOutside(t *testing.T) {
	for _, inside := range []string{"https://10.0.0.1/authorize", "https://169.254.169.254/latest", "https://[fd00::1]/a", "https://192.168.0.1:8443/"} {
		w := newWorld(t, func(s setup) {
			asURL := s.AS.Issuer
			s.Wrap["as"] = func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					rec := httptest.NewRecorder()
					h.ServeHTTP(rec, r)
					body := strings.ReplaceAll(rec.Body.String(), asURL+"/authorize", inside)
					for n, v := range rec.Header() {
						rw.Header()[n] = v
					}
					rw.Header().Del("Content-Length")
					rw.WriteHeader(rec.Code)
					_, _ = io.WriteString(rw, body)
				})
			}
		})
		sent := 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(context.Context, httpdriver.Visit) (string, error) {
				sent++
				return "", errors.New("no browser")
			})
		})
		_, _, err := w.post(t.Context(), w.client(t, d), ping)
		f, ok := fsm.FaultOf(err)
		if !ok || f.Problem.Rule != rules.AuthzReqURLHostPolicy || sent != 0 {
			t.Errorf("%s: sent %d times, %v", inside, sent, err)
		}
	}
}

// steps collects what the machine of a driver was told.
type steps struct {
	mu  sync.Mutex
	all []httpdriver.Step
}

func (s *steps) add(o *httpdriver.Options) {
	o.Observe = func(step httpdriver.Step) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all = append(s.all, step)
	}
}

// late counts the questions that were too late to be sent.
func (s *steps) late() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, step := range s.all {
		if u, ok := step.Input.(states.Unreachable); ok && u.Class == states.Late {
			n++
		}
	}
	return n
}

// TestNothingIsSentLate: a process that stood still after it had decided to
// refresh sends nothing when it goes on, wherever it stood: the lease is
// another's by then.
func TestNothingIsSentLate(t *testing.T) {
	const stoodStill = 10 * time.Minute
	t.Run("after the intent was written", func(t *testing.T) {
		w := newWorld(t)
		w.call(t, w.client(t, w.driver(t)))
		w.Clock.forward(2 * time.Hour)
		w.Tap.reset()
		var seen steps
		d := w.driver(t, seen.add, func(o *httpdriver.Options) {
			o.Store = &stoppedStore{Store: w.Store, stop: func() { w.Clock.forward(stoodStill) }}
		})
		_, _, err := w.post(t.Context(), w.client(t, d), ping)
		f, ok := fsm.FaultOf(err)
		if n := w.Tap.grants("refresh_token"); !ok || !f.Transient || n != 0 || seen.late() != 1 {
			t.Errorf("%d refreshes were sent, %d were too late: %v", n, seen.late(), err)
		}
	})
	t.Run("while connecting", func(t *testing.T) {
		w := newWorld(t)
		w.call(t, w.client(t, w.driver(t)))
		w.Clock.forward(2 * time.Hour)
		w.Tap.reset()
		var seen steps
		var once sync.Once
		d := w.driver(t, seen.add, func(o *httpdriver.Options) {
			o.Transport = &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if strings.HasSuffix(w.ASURL, address) {
					once.Do(func() { w.Clock.forward(stoodStill) })
				}
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}}
		})
		_, _, err := w.post(t.Context(), w.client(t, d), ping)
		f, ok := fsm.FaultOf(err)
		if n := w.Tap.grants("refresh_token"); !ok || !f.Transient || n != 0 || seen.late() != 1 {
			t.Errorf("%d refreshes were sent, %d were too late: %v", n, seen.late(), err)
		}
	})
}

// stoppedStore is a store after whose first write of an intent the process
// stands still.
type stoppedStore struct {
	storage.Store
	stop func()
	once sync.Once
}

func (s *stoppedStore) Put(ctx context.Context, k states.Key, v []byte, expected states.Generation, expires time.Time) (states.Generation, error) {
	g, err := s.Store.Put(ctx, k, v, expected, expires)
	if k.Kind == states.KindCredential && strings.Contains(string(v), `"intent"`) {
		s.once.Do(s.stop)
	}
	return g, err
}

// TestARefreshEndsWithItsLease: an exchange is over when its lease is, whatever
// time an exchange may take otherwise, and however much of the lease had gone by
// before it was sent.
func TestARefreshEndsWithItsLease(t *testing.T) {
	release := make(chan struct{})
	var hangs atomic.Bool
	w := newWorld(t, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if hangs.Load() && r.URL.Path == "/token" {
					<-release
					return
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
	defer close(release)
	w.call(t, w.client(t, w.driver(t)))
	hangs.Store(true)
	w.Clock.forward(2 * time.Hour)
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Policy.HTTPTime, o.Policy.LeaseTime = 5*time.Minute, 10*time.Minute
		// Nothing is sent in the last sixth of a lease.
		o.Store = &stoppedStore{Store: w.Store, stop: func() { w.Clock.forward(500*time.Second - time.Second) }}
	})
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	if f, ok := fsm.FaultOf(err); !ok || f.Party != states.PartyNetwork {
		t.Errorf("%v", err)
	}
}

// TestATroubledAnswerAcceptsNoToken: that a server took a token shows in an
// answer below 400. One that is in trouble has not taken it, so a token that it
// then refuses is not refreshed for ever.
func TestATroubledAnswerAcceptsNoToken(t *testing.T) {
	for _, status := range []int{400, 404, 500, 503} {
		t.Run(http.StatusText(status), func(t *testing.T) { troubled(t, status) })
	}
}

func troubled(t *testing.T, status int) {
	var mu sync.Mutex
	seen := map[string]int{}
	w := newWorld(t, func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				token := r.Header.Get("Authorization")
				if token == "" || r.Method != http.MethodPost {
					h.ServeHTTP(rw, r)
					return
				}
				mu.Lock()
				seen[token]++
				first := seen[token] == 1
				mu.Unlock()
				if first {
					http.Error(rw, "in trouble", status)
					return
				}
				rw.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
				rw.WriteHeader(http.StatusUnauthorized)
			})
		}
	})
	c := w.client(t, w.driver(t))
	var last error
	for range 12 {
		_, _, err := w.post(t.Context(), c, ping)
		if f, ok := fsm.FaultOf(err); ok && f.Problem.Rule == rules.ChallengeFreshTokenLoop {
			last = err
			break
		}
	}
	if last == nil {
		t.Errorf("no end: %d refreshes, %d logins", w.Tap.grants("refresh_token"), w.Tap.grants("authorization_code"))
	}
}

// TestLateRefusalOfAnOlderToken: a refusal of a token that has been replaced
// meanwhile is answered with the newer one, without a word to the machine.
func TestLateRefusalOfAnOlderToken(t *testing.T) {
	held, release := make(chan struct{}), make(chan struct{})
	var hold atomic.Bool
	w := newWorld(t, func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" && hold.CompareAndSwap(true, false) {
					close(held)
					<-release
					rw.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
					rw.WriteHeader(http.StatusUnauthorized)
					return
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
	var seen steps
	d := w.driver(t, seen.add)
	c := w.client(t, d)
	w.call(t, c)
	hold.Store(true)
	status := make(chan int)
	go func() {
		code, _, err := w.post(context.Background(), c, ping)
		if err != nil {
			t.Error(err)
		}
		status <- code
	}()
	<-held
	w.Clock.forward(2 * time.Hour)
	w.call(t, c)
	until(t, "the refresh rests", func() bool { return goroutines("httpdriver.(*run).loop") == 0 })
	seen.mu.Lock()
	before := len(seen.all)
	seen.mu.Unlock()
	close(release)
	if code := <-status; code != 200 {
		t.Errorf("status %d", code)
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if w.Tap.grants("refresh_token") != 1 || len(seen.all) != before {
		t.Errorf("%d refreshes; the machine was told %d things", w.Tap.grants("refresh_token"), len(seen.all)-before)
	}
}

// TestOneRequestHasAnEnd: a server that asks for something new at every attempt
// gets one request five times at most; the last answer is the caller's.
func TestOneRequestHasAnEnd(t *testing.T) {
	all := []string{"user", "a", "b", "c", "d", "e", "f", "g", "h"}
	var n atomic.Int32
	w := newWorld(t, func(s setup) {
		s.AS.Scopes = all
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" || r.Method != http.MethodPost {
					h.ServeHTTP(rw, r)
					return
				}
				i := int(n.Add(1))
				if i == 1 {
					rw.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
					rw.WriteHeader(http.StatusUnauthorized)
					return
				}
				rw.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+all[min(i, len(all)-1)]+`"`)
				http.Error(rw, "more", http.StatusForbidden)
			})
		}
	})
	status, body, err := w.post(t.Context(), w.client(t, w.driver(t)), ping)
	if err != nil || status != 403 || body != "more\n" {
		t.Errorf("%d %q %v", status, body, err)
	}
	if got := w.Tap.count("rs", "/mcp"); got != 5 {
		t.Errorf("sent %d times", got)
	}
}

// TestNoWayBackToHTTP: the client of an https server does not follow it to http.
func TestNoWayBackToHTTP(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "http://"+r.Host+"/mcp", http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	d, err := httpdriver.New(httpdriver.Options{Store: storage.NewMemory(), Transport: s.Client().Transport.(*http.Transport)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	c, err := d.Client(httpdriver.Account{Server: s.URL + "/mcp"})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Get(s.URL + "/mcp")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("the redirect was followed: %s", resp.Status)
	}
}

// TestTimeoutsAreToldApart: a request that found no connection in time was not
// sent, and one that got no answer in time may have been.
func TestTimeoutsAreToldApart(t *testing.T) {
	for _, want := range []states.FailureClass{states.Unsent, states.Lost} {
		t.Run(string(want), func(t *testing.T) {
			var hangs atomic.Bool
			w := newWorld(t, func(s setup) {
				s.Wrap["as"] = func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						if hangs.Load() && r.URL.Path == "/token" {
							<-r.Context().Done()
							return
						}
						h.ServeHTTP(rw, r)
					})
				}
			})
			w.call(t, w.client(t, w.driver(t)))
			w.Clock.forward(2 * time.Hour)
			hangs.Store(true)
			var seen steps
			d := w.driver(t, seen.add, func(o *httpdriver.Options) {
				o.Policy.HTTPTime, o.Policy.LeaseTime = 200*time.Millisecond, 2*time.Second
				if want == states.Unsent {
					o.Transport = &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
						if strings.HasSuffix(w.ASURL, address) {
							<-ctx.Done()
							return nil, ctx.Err()
						}
						return (&net.Dialer{}).DialContext(ctx, network, address)
					}}
				}
			})
			if _, _, err := w.post(t.Context(), w.client(t, d), ping); err == nil {
				t.Fatal("no error")
			}
			seen.mu.Lock()
			defer seen.mu.Unlock()
			n := 0
			for _, step := range seen.all {
				if u, ok := step.Input.(states.Unreachable); ok {
					n++
					if u.Class != want && u.Class != states.Late {
						t.Errorf("told as %s: %s", u.Class, u.Detail)
					}
				}
			}
			if n == 0 {
				t.Error("nothing was told")
			}
		})
	}
}
