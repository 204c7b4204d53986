package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// distant is a store whose credentials take as long to read as the test wants. It honours
// the context, as every store does.
type distant struct {
	storage.Store
	asked chan struct{} // gets a value when a reading begins
	let   chan struct{} // closed: readings end
	n     atomic.Int32
	fault error // in place of the answer
}

func newDistant(s storage.Store) *distant {
	return &distant{Store: s, asked: make(chan struct{}, 100), let: make(chan struct{})}
}

func (s *distant) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if k.Kind != states.KindCredential {
		return s.Store.Get(ctx, k)
	}
	s.n.Add(1)
	// What is read is what the store holds now, however long the answer takes.
	e, err := s.Store.Get(ctx, k)
	s.asked <- struct{}{}
	select {
	case <-s.let:
	case <-ctx.Done():
		return storage.Entry{}, ctx.Err()
	}
	if s.fault != nil {
		return storage.Entry{}, s.fault
	}
	return e, err
}

// distantWorld has a login in the store, and a driver that has not read it and takes its
// time to.
func distantWorld(t *testing.T) (*world, *distant, *httpdriver.Driver) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t)))
	w.Tap.reset()
	s := newDistant(w.Store)
	w.Store = s
	return w, s, w.driver(t)
}

// asks begins a request, and gives what it ends with.
func asks(ctx context.Context, w *world, c *http.Client) <-chan error {
	end := make(chan error, 1)
	go func() {
		status, _, err := w.post(ctx, c, ping)
		if err == nil && status != http.StatusOK {
			err = errors.New(http.StatusText(status))
		}
		end <- err
	}()
	return end
}

// TestOneLook: the first requests of an account share one reading of the store, and no
// request goes out without the token.
func TestOneLook(t *testing.T) {
	w, s, d := distantWorld(t)
	c := w.client(t, d)
	const together = 20
	var ends []<-chan error
	for range together {
		ends = append(ends, asks(t.Context(), w, c))
	}
	<-s.asked
	until(t, "the others wait", func() bool { return goroutines("httpdriver.(*session).beginLook", "[select") == together-1 })
	close(s.let)
	for _, end := range ends {
		if err := <-end; err != nil {
			t.Error(err)
		}
	}
	if n := s.n.Load(); n != 1 {
		t.Errorf("the credential was read %d times", n)
	}
	w.exactly(t, together)
}

// TestLookEndsWithRequest: a request that is over does not wait for the store. What it
// wanted to know is read nevertheless, so that requests whose time is shorter than the
// store's find the token in the end.
func TestLookEndsWithRequest(t *testing.T) {
	w, s, d := distantWorld(t)
	c := w.client(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	first := asks(ctx, w, c)
	<-s.asked
	second := asks(t.Context(), w, c)
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the request that was given up: %v", err)
	}
	<-s.asked
	close(s.let)
	if err := <-second; err != nil {
		t.Error(err)
	}
	if n := s.n.Load(); n != 2 {
		t.Errorf("the credential was read %d times", n)
	}
}

// TestLookOfAnOlderToken: a login ends while a request reads the store. The request takes
// the token of the login, not the one that it has read.
func TestLookOfAnOlderToken(t *testing.T) {
	w, s, d := distantWorld(t)
	end := asks(t.Context(), w, w.client(t, d))
	<-s.asked
	logged := make(chan error, 1)
	go func() { logged <- d.Login(t.Context(), w.account()) }()
	until(t, "the login has begun", func() bool { return goroutines("httpdriver.(*run).loop") == 1 })
	close(s.let)
	if err := <-logged; err != nil {
		t.Fatal(err)
	}
	if err := <-end; err != nil {
		t.Fatal(err)
	}
	held, err := d.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Store.Get(t.Context(), states.Key{Kind: states.KindCredential, Name: w.Server})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := states.DecodeCredential(wire.Secret(e.Value)); err != nil || c.Current.AccessToken.Reveal() != held.AccessToken {
		t.Errorf("the token at hand is not the one in the store (%v)", err)
	}
}

// TestLookBehindALogin: a login begins and ends while a request waits for what it has read. The token
// of the login stays at hand, and the request is sent with it.
func TestLookBehindALogin(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t)))
	s := &slowRead{Store: w.Store, kind: states.KindCredential, arrived: make(chan struct{}), open: make(chan struct{})}
	d := w.driver(t, func(o *httpdriver.Options) { o.Store = s })
	w.Tap.reset()
	end := asks(t.Context(), w, w.client(t, d))
	<-s.arrived
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	held, err := d.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	close(s.open)
	if err := <-end; err != nil {
		t.Error(err)
	}
	if now, err := d.Token(t.Context(), w.account()); err != nil || now.AccessToken != held.AccessToken {
		t.Errorf("another token is at hand (%v)", err)
	}
	all := w.Tap.requests()
	if last := all[len(all)-1]; last.Header.Get("Authorization") != "Bearer "+held.AccessToken {
		t.Errorf("the request was %s, with another token", last)
	}
}

// TestLookGoesOn: what cannot be used as it is goes to a run, which does not read it again.
func TestLookGoesOn(t *testing.T) {
	t.Run("an expired token is refreshed", func(t *testing.T) {
		w, s, d := distantWorld(t)
		close(s.let)
		w.Clock.forward(time.Hour)
		w.call(t, w.client(t, d))
		if n := w.Tap.grants("refresh_token"); n != 1 {
			t.Errorf("%d refreshes", n)
		}
		// Once before the lease and once under it.
		if n := s.n.Load(); n > 2 {
			t.Errorf("the credential was read %d times", n)
		}
	})
	t.Run("a store that fails is named", func(t *testing.T) {
		w, s, d := distantWorld(t)
		close(s.let)
		s.fault = errors.New("the disk is on fire")
		err := <-asks(t.Context(), w, w.client(t, d))
		if err == nil {
			t.Fatal("no error")
		}
		if n := s.n.Load(); n == 0 {
			t.Error("the store was not asked")
		}
		w.exactly(t, 0)
	})
}

// TestLookOfAClosedDriver: a driver that is closed waits for a request that reads, and
// reads no more.
func TestLookOfAClosedDriver(t *testing.T) {
	w, s, d := distantWorld(t)
	c := w.client(t, d)
	end := asks(t.Context(), w, c)
	<-s.asked
	closed := make(chan error, 1)
	go func() { closed <- d.Close() }()
	until(t, "the driver is being closed", func() bool { return goroutines("httpdriver.(*Driver).Close") == 1 })
	close(s.let)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := <-end; err != nil && !errors.Is(err, httpdriver.ErrClosed) {
		t.Errorf("the request that read: %v", err)
	}
	if err := <-asks(t.Context(), w, c); !errors.Is(err, httpdriver.ErrClosed) {
		t.Errorf("a closed driver: %v", err)
	}
	if n := s.n.Load(); n != 1 {
		t.Errorf("the credential was read %d times", n)
	}
}

// brittle is a store that panics when it is read for the first time.
type brittle struct {
	storage.Store
	n atomic.Int32
}

func (s *brittle) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if s.n.Add(1) == 1 {
		panic("the store")
	}
	return s.Store.Get(ctx, k)
}

// TestLookThatPanics: a store that panics while a request reads stops neither the next
// request nor Close. (A web server keeps its process alive after such a panic.)
func TestLookThatPanics(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t)))
	w.Store = &brittle{Store: w.Store}
	d := w.driver(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is hidden")
			}
		}()
		_, _ = d.Token(t.Context(), w.account())
	}()
	if _, err := d.Token(t.Context(), w.account()); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// overtaken is a store whose asker has left when its first answer is there.
type overtaken struct {
	storage.Store
	leave func()
	n     atomic.Int32
}

func (s *overtaken) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	e, err := s.Store.Get(ctx, k)
	if s.n.Add(1) == 1 {
		s.leave()
	}
	return e, err
}

// TestLookIsInTime: what the store has answered counts, also if the time of the request is over
// by then; it is not read again.
func TestLookIsInTime(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t)))
	ctx, leave := context.WithCancel(t.Context())
	store := &overtaken{Store: w.Store, leave: leave}
	d := w.driver(t, func(o *httpdriver.Options) { o.Store = store })
	if _, err := d.Token(ctx, w.account()); err != nil {
		t.Error(err)
	}
	if _, err := d.Token(t.Context(), w.account()); err != nil || store.n.Load() != 1 {
		t.Errorf("%v, after %d readings", err, store.n.Load())
	}
}

// TestCloseDuringALook: a driver that is closed when a request has read the token, and has not taken
// it yet, holds no token afterwards: the next request of the same client is refused.
func TestCloseDuringALook(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.call(t, w.client(t, w.driver(t)))
		closed := make(chan error, 1)
		var once sync.Once
		var d *httpdriver.Driver
		d = w.driver(t, func(o *httpdriver.Options) {
			o.Clock = func() time.Time {
				if called("(*session).rests") {
					once.Do(func() {
						go func() { closed <- d.Close() }()
						synctest.Wait()
					})
				}
				return time.Now()
			}
		})
		c := w.client(t, d)
		_, _, _ = w.post(t.Context(), c, ping)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		w.Tap.reset()
		if _, _, err := w.post(t.Context(), c, ping); !errors.Is(err, httpdriver.ErrClosed) {
			t.Error(err)
		}
		w.exactly(t, 0)
	})
}
