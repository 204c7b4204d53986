package httpdriver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// The tests of this file look at a run that has come to its end and has not ended yet.

// TestDeniedWhileHolding: a user who asks for a login and then denies it hears of that, although
// the token that is held remains good. It is the same while the end of the login takes its time.
func TestDeniedWhileHolding(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t)))
	l := &lingering{httpdriver.UserAgent(refuse), make(chan struct{}, 4), make(chan struct{})}
	d := w.driver(t, func(o *httpdriver.Options) { o.Host = l })
	ended := make(chan error, 1)
	go func() { ended <- d.Login(t.Context(), w.account()) }()
	<-l.closing
	until(t, "the login waits", func() bool { return len(ended) > 0 || goroutines("httpdriver.(*Driver).Login", "[select") > 0 })
	close(l.let)
	if f, ok := fsm.FaultOf(<-ended); !ok || f.Problem.OAuth == nil || f.Problem.OAuth.Code != "access_denied" {
		t.Errorf("%+v", f)
	}
	w.call(t, w.client(t, d))
}

// slowTrace is a place for a trace that takes its time to be closed.
type slowTrace struct{ writer }

func (s *slowTrace) Close() error {
	time.Sleep(5 * time.Second)
	return s.writer.Close()
}

// TestChallengeAfterALink: a challenge that comes when a login has just ended with a link gets
// a link of its own, with the scope that it names.
func TestChallengeAfterALink(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		c := w.client(t, w.driver(t, web, func(o *httpdriver.Options) {
			o.Trace = func(httpdriver.Account) (io.WriteCloser, error) { return &slowTrace{writer{after: 1 << 20}}, nil }
		}))
		links := make(chan error, 1)
		go func() {
			_, err := statusAt(t, c, w.Server+"?scope=s0")
			links <- err
		}()
		time.Sleep(time.Second)
		_, err := statusAt(t, c, w.Server+"?scope=s1")
		for i, err := range []error{<-links, err} {
			if have := scopesOf(t, required(t, err).URL); !slices.Contains(have, fmt.Sprint("s", i)) {
				t.Errorf("link %d asks for %v", i, have)
			}
		}
	}, wanting(2))
}

// TestFirstReasonCounts: a login that ends because its user logged out says so, also if the
// driver is closed before it has ended.
func TestFirstReasonCounts(t *testing.T) {
	issuer := &slowly{path: "/token", wait: time.Hour}
	issuer.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, func(o *httpdriver.Options) { o.Policy.HTTPTime = time.Minute })
		ended, out := make(chan error, 1), make(chan error, 1)
		go func() { ended <- d.Login(t.Context(), w.account()) }()
		time.Sleep(time.Second) // the code is on its way
		go func() { out <- d.Logout(t.Context(), w.account()) }()
		time.Sleep(time.Second)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		err := <-ended
		if _, ok := fsm.FaultOf(err); !ok || errors.Is(err, httpdriver.ErrClosed) {
			t.Errorf("the login: %v", err)
		}
		if err := <-out; err != nil {
			t.Errorf("the log out: %v", err)
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}

// openings is a Host that counts the addresses that are open.
type openings struct {
	httpdriver.Host
	open atomic.Int64
}

func (c *openings) Bind(ctx context.Context, preferred []string) (httpdriver.Listener, error) {
	l, err := c.Host.Bind(ctx, preferred)
	if err == nil {
		c.open.Add(1)
	}
	return openingsListener{l, c}, err
}

type openingsListener struct {
	httpdriver.Listener
	c *openings
}

func (l openingsListener) Close() error {
	l.c.open.Add(-1)
	return l.Listener.Close()
}

// TestOneAddressAtATime: a second login that follows at once, because a request needs more scope
// than the first one brought, listens at an address of its own. The first one is closed.
func TestOneAddressAtATime(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var c *http.Client
		var all sync.WaitGroup
		h, user, visits := &openings{}, &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}, 0
		h.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			if visits++; h.open.Load() != 1 {
				t.Errorf("visit %d: %d addresses are open", visits, h.open.Load())
			}
			return followBy(ctx, user, v)
		})
		d := w.driver(t, between(states.Withdrawing, states.Authorized, func() {
			all.Go(func() {
				if status, _, err := w.post(t.Context(), c, admin); err != nil || status != 200 {
					t.Errorf("the request that needs more: %d %v", status, err)
				}
			})
			synctest.Wait()
		}), func(o *httpdriver.Options) { o.Host = h })
		w.call(t, w.client(t, w.driver(t)))
		c = w.client(t, d)
		w.call(t, c)
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Error(err)
		}
		all.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if visits != 2 || h.open.Load() != 0 {
			t.Errorf("%d visits, %d addresses are left open", visits, h.open.Load())
		}
	})
}
