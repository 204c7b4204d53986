//go:build unix

package soak_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/sealed"
)

// hooked is a store that does something before or after a call.
type hooked struct {
	storage.Store
	leased func()
	broken *atomic.Bool // the store fails
}

var errAway = errors.New("the store is away")

func (h hooked) Lease(ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
	if h.broken != nil && h.broken.Load() {
		return storage.Lease{}, errAway
	}
	l, err := h.Store.Lease(ctx, k, ttl)
	if h.leased != nil && err == nil {
		h.leased()
	}
	return l, err
}

func (h hooked) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if h.broken != nil && h.broken.Load() {
		return storage.Entry{}, errAway
	}
	return h.Store.Get(ctx, k)
}

func (h hooked) Put(ctx context.Context, k states.Key, v []byte, g states.Generation, until time.Time) (states.Generation, error) {
	if h.broken != nil && h.broken.Load() {
		return 0, errAway
	}
	return h.Store.Put(ctx, k, v, g, until)
}

// TestLeaseCountsFromAsking: a lease counts from the request, so a slow answer leaves less
// of it. What is left decides whether anything is sent (refresh-transaction).
func TestLeaseCountsFromAsking(t *testing.T) {
	w := newWorld(t, place(t, "file"))
	store := w.where.must(t)
	w.login(t, store)
	w.expire()
	first := true
	d := w.driver(t, hooked{Store: store, leased: func() {
		if first {
			first = false
			w.ahead.Add(int64(59 * time.Second)) // of sixty
		}
	}})
	if err := request(t.Context(), d, w.account()); err == nil {
		t.Error("refreshed, one second before the lease ran out")
	}
	if got := w.counts(); got != (counts{}) {
		t.Errorf("sent: %v", got)
	}
	w.ahead.Add(int64(time.Minute)) // the pause after a failure
	if err := request(t.Context(), d, w.account()); err != nil {
		t.Error(err)
	}
	if got := w.counts(); got != (counts{Refreshes: 1}) {
		t.Errorf("then: %v", got)
	}
}

// during runs f while the server handles a refresh.
func (w *world) during(t *testing.T, d *httpdriver.Driver, f func()) error {
	reached, answer := make(chan struct{}), make(chan struct{})
	hold := func() {
		w.after.Store(nil)
		close(reached)
		<-answer
	}
	w.after.Store(&hold)
	ended := make(chan error, 1)
	go func() { ended <- request(t.Context(), d, w.account()) }()
	select {
	case <-reached:
	case err := <-ended:
		return fmt.Errorf("no refresh was made: %w", err)
	}
	f()
	close(answer)
	return <-ended
}

// TestRekeyDuringRefresh: the store is sealed with a new key while a refresh is under way.
// The result of the refresh is kept nevertheless (refresh-cas-save).
func TestRekeyDuringRefresh(t *testing.T) {
	files, err := filestore.Open(t.TempDir() + "/store")
	if err != nil {
		t.Fatal(err)
	}
	old, next := sealed.NewKey(), sealed.NewKey()
	store, err := sealed.New(files, old, sealed.Also(next))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, where{})
	w.login(t, store)
	w.expire()
	_, before := w.record(t, store)
	if err := w.during(t, w.driver(t, store), func() {
		if err := store.Rotate(next); err != nil {
			t.Error(err)
		}
		if n, err := store.Rekey(t.Context()); err != nil {
			t.Error(n, err)
		}
		if _, g := w.record(t, store); g == before {
			t.Error("the rekeying has changed nothing: the test shows nothing")
		}
	}); err != nil {
		t.Error(err)
	}
	w.kept(t, store)
	only, err := sealed.New(files, next) // the old key is no longer needed
	if err != nil {
		t.Fatal(err)
	}
	w.kept(t, only)
}

// kept checks that the refresh token that the server accepts is the stored one.
func (w *world) kept(t *testing.T, store storage.Store) {
	t.Helper()
	c, _ := w.record(t, store)
	if c.Current == nil || c.Current.RefreshToken.Reveal() != w.live() {
		t.Error("the live refresh token is lost")
	}
	if c.Intent != nil {
		t.Error("the intent is still there")
	}
	w.expire()
	before := w.counts()
	if err := request(t.Context(), w.driver(t, store), w.account()); err != nil {
		t.Error(err)
	}
	if got := w.counts().minus(before); got != (counts{Refreshes: 1}) {
		t.Errorf("the next refresh: %v", got)
	}
}

// TestNoteDuringRefresh: another release writes a member of its own into the record while
// a refresh is under way. Both changes are kept (store-schema-preserving).
func TestNoteDuringRefresh(t *testing.T) {
	w := newWorld(t, place(t, "sqlite"))
	store := w.where.must(t)
	w.login(t, store)
	w.expire()
	if err := w.during(t, w.driver(t, store), func() {
		e, err := store.Get(t.Context(), w.key())
		if err != nil {
			t.Error(err)
			return
		}
		var doc map[string]any
		if err := json.Unmarshal(e.Value, &doc); err != nil {
			t.Error(err)
		}
		doc["note"] = "by another release"
		b, err := json.Marshal(doc)
		if err != nil {
			t.Error(err)
		}
		if _, err := store.Put(t.Context(), w.key(), b, e.Generation, e.Expires); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Error(err)
	}
	w.kept(t, store)
	e, err := store.Get(t.Context(), w.key())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Note string `json:"note"`
	}
	if err := json.Unmarshal(e.Value, &doc); err != nil || doc.Note == "" {
		t.Errorf("the note is gone: %v", err)
	}
}

// TestDroppedDuringRefresh: one process spends the refresh token. While the answer is on
// its way, another process finds that the token is spent and drops it. The answer is
// newer, so it is kept.
func TestDroppedDuringRefresh(t *testing.T) {
	w := newWorld(t, place(t, "file"))
	store := w.where.must(t)
	w.login(t, store)
	w.expire()
	if err := w.during(t, w.driver(t, store), func() {
		c, g := w.record(t, store)
		c.Intent, c.Current.RefreshToken = nil, ""
		b, err := states.Encode(c)
		if err != nil {
			t.Error(err)
		}
		if _, err := store.Put(t.Context(), w.key(), []byte(b.Reveal()), g, time.Time{}); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Error(err)
	}
	if got := w.counts(); got != (counts{Refreshes: 1}) {
		t.Errorf("%v", got)
	}
	w.kept(t, store)
}

// TestStoreAwayDuringRefresh: the store fails while a refresh is under way. The new token
// is used, and is stored when the store is back.
func TestStoreAwayDuringRefresh(t *testing.T) {
	w := newWorld(t, place(t, "file"))
	store := w.where.must(t)
	w.login(t, store)
	w.expire()
	var broken atomic.Bool
	d := w.driver(t, hooked{Store: store, broken: &broken})
	before, _ := w.record(t, store)
	ended := make(chan error, 1)
	limit := time.After(30 * time.Second)
	go func() { ended <- w.during(t, d, func() { broken.Store(true) }) }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("a token had come: %v", err)
			}
			ended = nil
		case <-time.After(10 * time.Millisecond):
		case <-limit:
			t.Fatal("the result was never stored")
		}
		now, _ := w.record(t, store)
		if w.counts().Refreshes == 1 && broken.Load() {
			if now.Current.RefreshToken != before.Current.RefreshToken {
				t.Fatal("stored, though the store was away")
			}
			broken.Store(false)
		}
		if now.Current.RefreshToken.Reveal() == w.live() && ended == nil {
			break
		}
	}
	w.kept(t, store)
}

// TestStoreAway: without its store a driver refreshes nothing, but still uses a valid
// token.
func TestStoreAway(t *testing.T) {
	w := newWorld(t, place(t, "file"))
	store := w.where.must(t)
	w.login(t, store)
	var broken atomic.Bool
	d := w.driver(t, hooked{Store: store, broken: &broken})
	if err := request(t.Context(), d, w.account()); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	w.ahead.Add(int64(time.Hour - 10*time.Second)) // its renewal is due
	for range 3 {
		if err := request(t.Context(), d, w.account()); err != nil {
			t.Errorf("the token is valid for ten more seconds: %v", err)
		}
	}
	w.expire()
	if err := request(t.Context(), d, w.account()); err == nil {
		t.Error("no token is valid, and there is no store")
	}
	if got := w.counts(); got != (counts{}) {
		t.Errorf("without the store: %v", got)
	}
	broken.Store(false)
	w.expire() // past the pause after a failure
	w.kept(t, store)
}

// TestValidTokenMeanwhile: a token that is still valid stays in use while
// another process refreshes (refresh-valid-token-usable).
func TestValidTokenMeanwhile(t *testing.T) {
	w := newWorld(t, place(t, "sqlite"))
	store := w.where.must(t)
	w.login(t, store)
	one, two := w.driver(t, store), w.driver(t, w.where.must(t))
	for _, d := range []*httpdriver.Driver{one, two} {
		if err := request(t.Context(), d, w.account()); err != nil {
			t.Fatal(err)
		}
	}
	w.ahead.Add(int64(time.Hour - 10*time.Second))
	reached, answer := make(chan struct{}), make(chan struct{})
	hold := func() { close(reached); <-answer; w.after.Store(nil) }
	w.after.Store(&hold)
	defer close(answer)
	if err := request(t.Context(), one, w.account()); err != nil {
		t.Error(err)
	}
	<-reached
	for range 20 {
		for _, d := range []*httpdriver.Driver{one, two} {
			if err := request(t.Context(), d, w.account()); err != nil {
				t.Errorf("while a refresh is under way: %v", err)
			}
		}
	}
	if got := w.counts(); got != (counts{Refreshes: 1}) {
		t.Errorf("%v", got)
	}
}

// TestLogoutDuringRefresh: somebody logs out while a refresh is under way. The result of
// the refresh is revoked, and nothing is resurrected (logout-conditional).
func TestLogoutDuringRefresh(t *testing.T) {
	for _, kind := range []string{"file", "redis", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, place(t, kind))
			store := w.where.must(t)
			w.login(t, store)
			w.expire()
			first, second := w.driver(t, store), w.driver(t, w.where.must(t))
			var obtained wire.Secret
			// Whether its request ends in a login or in a refusal does not matter here. What
			// counts is that the old grant is gone.
			err := w.during(t, first, func() {
				obtained = wire.Secret(w.access())
				if !w.AS.Introspect(w.now(), obtained.Reveal()).Active {
					t.Error("the new token is not good: the test shows nothing")
				}
				if err := second.Logout(t.Context(), w.account()); err != nil {
					t.Error(err)
				}
				if _, err := store.Get(t.Context(), w.key()); !errors.Is(err, storage.ErrNotFound) {
					t.Errorf("after the logout: %v", err)
				}
			})
			t.Logf("the request that was under way: %v; %v, %d revocations", err, w.counts(), w.counts().Revoked)
			if w.AS.Introspect(w.now(), obtained.Reveal()).Active {
				t.Error("what the refresh brought is still good")
			}
			if e, err := store.Get(t.Context(), w.key()); err == nil {
				c, err := states.DecodeCredential(wire.Secret(e.Value))
				if err != nil || c.Current == nil || c.Current.AccessToken == obtained {
					t.Errorf("the credential is back: %v", err)
				}
				if w.counts().Logins == 0 {
					t.Error("the credential is back without a login")
				}
			}
			if got := w.counts(); got.Reuse > 0 || got.Revoked < 3 {
				t.Errorf("%v, %d revocations", got, got.Revoked)
			}
		})
	}
}
