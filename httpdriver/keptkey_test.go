package httpdriver_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// keyReads is a store that counts how often the key of proofs is read, and may fail to read it.
type keyReads struct {
	storage.Store
	n   int
	err error
}

func (s *keyReads) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if k.Kind == states.KindProofKey {
		if s.n++; s.err != nil {
			return storage.Entry{}, s.err
		}
	}
	return s.Store.Get(ctx, k)
}

// TestKeyOfProofsIsRead: the key is read once for each account. Where it cannot be read, no
// other takes its place, and a log out that should forget it says that it has not.
func TestKeyOfProofsIsRead(t *testing.T) {
	w := newWorld(t, binding(states.RequireBinding, peer.DPoPRequired))
	reads := &keyReads{Store: w.Store}
	d := w.driver(t, func(o *httpdriver.Options) { o.Store = reads })
	c := w.client(t, d)
	w.call(t, c)
	before := reads.n
	w.Clock.forward(2 * time.Hour)
	w.call(t, c)
	if err := d.Login(t.Context(), w.account()); err != nil || reads.n != before {
		t.Errorf("%v, read %d times more", err, reads.n-before)
	}

	away := &keyReads{Store: storage.NewMemory(), err: errors.New("connection refused")}
	lost := w.driver(t, func(o *httpdriver.Options) { o.Store = away })
	if _, _, err := w.post(t.Context(), w.client(t, lost), ping); err == nil || !strings.Contains(err.Error(), "the key that tokens are bound to: connection refused") {
		t.Errorf("it cannot be read: %v", err)
	}
	if _, err := away.Store.Get(t.Context(), states.Key{Kind: states.KindProofKey, Name: w.Server}); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("another key was stored: %v", err)
	}

	reads.err = errors.New("connection refused")
	if err := d.LogoutWith(t.Context(), w.account(), httpdriver.LogoutOptions{Forget: true}); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("it cannot be forgotten: %v", err)
	}
}

// proofKeys is a store in which something happens around the key of proofs.
type proofKeys struct {
	storage.Store
	put func(put func() (states.Generation, error)) (states.Generation, error)
	del func(del func() error) error
}

func (s proofKeys) Put(ctx context.Context, k states.Key, v []byte, g states.Generation, at time.Time) (states.Generation, error) {
	put := func() (states.Generation, error) { return s.Store.Put(ctx, k, v, g, at) }
	if k.Kind == states.KindProofKey && s.put != nil {
		return s.put(put)
	}
	return put()
}

func (s proofKeys) Delete(ctx context.Context, k states.Key, g states.Generation) error {
	del := func() error { return s.Store.Delete(ctx, k, g) }
	if k.Kind == states.KindProofKey && s.del != nil {
		return s.del(del)
	}
	return del()
}

// TestKeyOfProofsInTheStore: the first process to store a key wins; what cannot be stored
// or read is an error that names the key; one that another process has removed is gone.
func TestKeyOfProofsInTheStore(t *testing.T) {
	w := newWorld(t, binding(states.RequireBinding, peer.DPoPRequired))
	key := states.Key{Kind: states.KindProofKey, Name: w.Server}
	stored := func() string {
		e, err := w.Store.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return string(e.Value)
	}
	var first string
	raced := w.driver(t, func(o *httpdriver.Options) {
		o.Store = proofKeys{Store: w.Store, put: func(put func() (states.Generation, error)) (states.Generation, error) {
			if first == "" { // another process is quicker
				w.call(t, w.client(t, w.driver(t)))
				first = stored()
			}
			return put()
		}}
	})
	w.call(t, w.client(t, raced))
	if first == "" || stored() != first {
		t.Error("the key of the other process was written over")
	}
	w.proofs(t)

	removed := w.driver(t, func(o *httpdriver.Options) {
		o.Store = proofKeys{Store: w.Store, del: func(del func() error) error {
			if err := del(); err != nil {
				t.Error(err)
			}
			return storage.ErrConflict
		}}
	})
	if err := removed.LogoutWith(t.Context(), w.account(), httpdriver.LogoutOptions{Forget: true}); err != nil {
		t.Errorf("removed by another process: %v", err)
	}

	for name, c := range map[string]struct {
		store storage.Store
		want  string
	}{
		"two versions": {holding(t, key, strings.Replace(first, `"version":1,`, `"version":1,"version":"2",`, 1)), "of another release"},
		"cannot be stored": {proofKeys{Store: storage.NewMemory(), put: func(func() (states.Generation, error)) (states.Generation, error) {
			return 0, errors.New("the disk is full")
		}}, "the disk is full"},
		"changes every time": {proofKeys{Store: storage.NewMemory(), put: func(func() (states.Generation, error)) (states.Generation, error) { return 0, storage.ErrConflict }}, "it keeps changing"},
		"of another release": {holding(t, key, `{"version":2,"key":{}}`), "of another release"},
		"not JSON":           {holding(t, key, `x`), "of another release"},
		"no key":             {holding(t, key, `{"version":1,"key":{}}`), "the key that tokens are bound to"},
	} {
		d := w.driver(t, func(o *httpdriver.Options) { o.Store = c.store })
		if _, _, err := w.post(t.Context(), w.client(t, d), ping); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "the key that tokens are bound to") {
			t.Errorf("%s: %v", name, err)
		}
	}
	forgets := w.driver(t, func(o *httpdriver.Options) {
		o.Store = proofKeys{Store: w.Store, del: func(func() error) error { return errors.New("the disk is gone") }}
	})
	w.call(t, w.client(t, forgets))
	if err := forgets.LogoutWith(t.Context(), w.account(), httpdriver.LogoutOptions{Forget: true}); err == nil || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("it cannot be removed: %v", err)
	}
}

// holding is a store with one entry.
func holding(t *testing.T, k states.Key, value string) storage.Store {
	t.Helper()
	s := storage.NewMemory()
	if _, err := s.Put(t.Context(), k, []byte(value), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	return s
}
