package httpdriver_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// rewrite changes the stored token of the world's account.
func (w *world) rewrite(t *testing.T, change func(*states.Token)) {
	t.Helper()
	w.rewriteRecord(t, func(c *states.Credential) { change(c.Current) })
}

// rewriteRecord changes what is stored of the world's account.
func (w *world) rewriteRecord(t *testing.T, change func(*states.Credential)) {
	t.Helper()
	key := states.Key{Kind: states.KindCredential, Name: w.Server}
	e, err := w.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := states.DecodeCredential(wire.Secret(e.Value))
	if err != nil {
		t.Fatal(err)
	}
	change(c)
	value, err := states.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.Put(t.Context(), key, []byte(value.Reveal()), e.Generation, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// TestStoredTokens: a token that expires in a far future is used and not renewed, and so is
// one that does not say when; where no type is stored, it is a bearer token.
func TestStoredTokens(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*states.Token)
		expiry func(time.Time) bool
	}{
		"far away": {func(k *states.Token) { k.Expires = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }, func(at time.Time) bool { return at.Year() > 2200 }},
		"in a time that nanoseconds cannot count": {func(k *states.Token) { k.Expires = time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC) }, func(at time.Time) bool { return at.Year() > 2200 }},
		"never":   {func(k *states.Token) { k.Expires = time.Time{} }, time.Time.IsZero},
		"no type": {func(k *states.Token) { k.Type = "" }, func(at time.Time) bool { return time.Until(at) > 50*time.Minute }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.call(t, w.client(t, w.driver(t)))
			w.rewrite(t, c.change)
			w.Tap.reset()
			d := w.driver(t)
			w.call(t, w.client(t, d))
			w.exactly(t, 1)
			tok, err := d.Token(t.Context(), w.account())
			if err != nil || !c.expiry(tok.Expiry) || tok.TokenType != "Bearer" {
				t.Errorf("%v of type %q until %v", err, tok.TokenType, tok.Expiry)
			}
		})
	}
}

// TestStatusesOfLoginsAlone: of the entries of an owner, those that are no login are left out,
// and so is one that is removed meanwhile.
func TestStatusesOfLoginsAlone(t *testing.T) {
	w := newWorld(t, binding(states.RequireBinding, peer.DPoPRequired)) // a key is stored too
	d := w.driver(t)
	w.call(t, w.client(t, d))
	list := func(d *httpdriver.Driver) (all []string) {
		if err := d.Statuses(t.Context(), "", "", func(s httpdriver.Status, err error) error {
			all = append(all, s.Account.Server)
			return err
		}); err != nil {
			t.Error(err)
		}
		return all
	}
	if all := list(d); len(all) != 1 || all[0] != w.Server {
		t.Errorf("%v", all)
	}
	if all := list(w.driver(t, func(o *httpdriver.Options) { o.Store = vanishing{w.Store, w.Store.(storage.Lister)} })); len(all) != 0 {
		t.Errorf("after the end: %v", all)
	}
}

// vanishing lists entries that are gone when they are read.
type vanishing struct {
	storage.Store
	storage.Lister
}

func (vanishing) Get(context.Context, states.Key) (storage.Entry, error) {
	return storage.Entry{}, storage.ErrNotFound
}

// unsaving is a store in memory that fails to save a refreshed token a few times.
type unsaving struct {
	*storage.Memory
	left atomic.Int32
}

func (u *unsaving) PutAndRelease(ctx context.Context, k states.Key, v []byte, g states.Generation, at time.Time, fence uint64) (states.Generation, error) {
	if u.left.Add(-1) >= 0 {
		return 0, errors.New("the disk is full")
	}
	return u.Memory.PutAndRelease(ctx, k, v, g, at, fence)
}

// TestARefreshedTokenIsSavedAgain: a token that cannot be saved is used meanwhile, and saved
// when that is possible: another process then needs no refresh.
func TestARefreshedTokenIsSavedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		store := &unsaving{Memory: w.Store.(*storage.Memory)}
		c := w.client(t, w.driver(t, func(o *httpdriver.Options) { o.Store = store }))
		w.call(t, c)
		time.Sleep(2 * time.Hour)
		store.left.Store(1)
		w.call(t, c)
		if store.left.Load() >= 1 {
			t.Fatal("nothing was saved")
		}
		time.Sleep(time.Minute)
		w.Tap.reset()
		w.call(t, w.client(t, w.driver(t)))
		w.exactly(t, 1)
	})
}

// unreleasing is a store that cannot release leases.
type unreleasing struct{ storage.Store }

func (unreleasing) Release(context.Context, states.Key, uint64) error {
	return errors.New("connection refused")
}

// TestLeasesThatStay: a lease that cannot be released runs out by itself. The log says so, and
// the login and the refresh succeed.
func TestLeasesThatStay(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var b bytes.Buffer
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Store, o.Logger = unreleasing{w.Store}, slog.New(slog.NewTextHandler(&b, nil))
		})
		c := w.client(t, d)
		for _, what := range []string{"login", "refresh"} {
			w.call(t, c)
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			if !strings.Contains(b.String(), "a lease could not be released") || !strings.Contains(b.String(), "connection refused") {
				t.Errorf("%s: the log says nothing:\n%s", what, b.String())
			}
			b.Reset()
		}
	})
}

// releases remembers which leases were taken and released.
type releases struct {
	storage.Store
	open map[uint64]bool
	odd  []uint64 // released, and not taken before
	all  int
}

func (s *releases) Lease(ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
	l, err := s.Store.Lease(ctx, k, ttl)
	if err == nil {
		s.open[l.Fence] = true
		s.all++
	}
	return l, err
}

func (s *releases) Release(ctx context.Context, k states.Key, fence uint64) error {
	if !s.open[fence] {
		s.odd = append(s.odd, fence)
	}
	delete(s.open, fence)
	return s.Store.Release(ctx, k, fence)
}

// TestLeasesAreReleased: each lease is released once, and nothing else is. The second login
// finds the client of the first, and takes none.
func TestLeasesAreReleased(t *testing.T) {
	w := newWorld(t)
	store := &releases{Store: w.Store, open: map[uint64]bool{}}
	d := w.driver(t, func(o *httpdriver.Options) { o.Store = store })
	for _, user := range []string{"one", "two"} {
		a := w.account()
		a.Subject = user
		if err := d.Login(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if len(store.open) != 0 || len(store.odd) != 0 || store.all != 1 {
		t.Errorf("%d leases, not released: %v; released without a lease: %v", store.all, store.open, store.odd)
	}
}

// undeleting is a store that cannot remove entries of one kind.
type undeleting struct {
	storage.Store
	kind states.Kind
	down *atomic.Bool
}

func (u undeleting) Delete(ctx context.Context, k states.Key, g states.Generation) error {
	if k.Kind == u.kind && u.down.Load() {
		return errors.New("connection refused")
	}
	return u.Store.Delete(ctx, k, g)
}

// TestALoginThatCannotBeClaimed: a code is redeemed by the replica that has removed the waiting
// login from the store, so that no two redeem it. Where that fails, the code is not sent.
func TestALoginThatCannotBeClaimed(t *testing.T) {
	w := newWorld(t)
	var down atomic.Bool
	d := w.driver(t, web, func(o *httpdriver.Options) { o.Store = undeleting{w.Store, states.KindLogin, &down} })
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	raw := back(t, required(t, err))
	down.Store(true)
	if _, err := d.Redirected(t.Context(), raw, httpdriver.Owner{}); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
	if n := w.Tap.grants("authorization_code"); n != 0 {
		t.Errorf("the code was sent %d times", n)
	}
}

// outrun is a store in which another process registers a client before this one has the lease
// for that.
type outrun struct {
	storage.Store
	once  *sync.Once
	other func()
	key   *states.Key
}

func (o outrun) Lease(ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
	if k.Kind == states.KindRegistration {
		o.once.Do(func() { *o.key = k; o.other() })
	}
	return o.Store.Lease(ctx, k, ttl)
}

// TestAnotherProcessHasRegistered: a client that another process registers in the last moment
// is used, no second one is registered, and nobody is kept waiting for the lease.
func TestAnotherProcessHasRegistered(t *testing.T) {
	w := newWorld(t)
	var key states.Key
	other := w.account()
	other.Name = "other"
	store := outrun{w.Store, &sync.Once{}, func() {
		if err := w.driver(t).Login(t.Context(), other); err != nil {
			t.Error(err)
		}
	}, &key}
	leased := true
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Store = store
		o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			l, err := w.Store.Lease(ctx, key, time.Minute)
			if leased = err != nil; !leased {
				_ = w.Store.Release(ctx, key, l.Fence)
			}
			return follow(ctx, v)
		})
	})
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	if n := w.Tap.count("as", "/register"); n != 1 || leased {
		t.Errorf("%d registrations, the lease is held during the visit: %v", n, leased)
	}
}
