package sealed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/sealed"
	"github.com/stile-oauth/stile/storage/storetest"
)

var errDown = errors.New("connection refused")

// sealing are the calls that seal or open an entry.
func sealing(ctx context.Context, s *sealed.Store, k states.Key, g states.Generation) map[string]func() error {
	return map[string]func() error{
		"Get": func() error { _, err := s.Get(ctx, k); return err },
		"GetHeld": func() error {
			_, held, err := s.GetHeld(ctx, k)
			if held {
				return errors.New("held, and nothing is known")
			}
			return err
		},
		"Put": func() error { _, err := s.Put(ctx, k, []byte("x"), g, time.Time{}); return err },
		"PutAndRelease": func() error {
			_, err := s.PutAndRelease(ctx, k, []byte("x"), g, time.Time{}, 1)
			return err
		},
		"Delete":      func() error { return s.Delete(ctx, k, g) },
		"LeaseAndGet": func() error { l, err := s.LeaseAndGet(ctx, k, time.Minute); return errors.Join(err, l.EntryErr) },
	}
}

// A failure of the inner store is passed on as it is, and is not taken for an entry
// that cannot be read. The entry stays.
func TestStoreInsideFails(t *testing.T) {
	inner := &storetest.Failing{Memory: storage.NewMemory()}
	s := newStore(t, inner, sealed.NewKey())
	g := put(t, s, mine, []byte(value), 0)
	all := sealing(t.Context(), s, mine, g)
	all["Lease"] = func() error { _, err := s.Lease(t.Context(), mine, time.Minute); return err }
	all["Release"] = func() error { return s.Release(t.Context(), mine, 1) }
	all["List"] = func() error { _, err := s.List(t.Context(), mine.Tenant, mine.Subject); return err }
	all["Keys"] = func() error { return s.Keys(t.Context(), func(states.Key) error { return nil }) }
	all["Rekey"] = func() error { _, err := s.Rekey(t.Context()); return err }
	all["Entries"] = func() error {
		return s.Entries(t.Context(), mine.Tenant, mine.Subject, func(_ states.Key, _ storage.Entry, err error) error { return err })
	}
	for name, call := range all {
		inner.Before = func(string, states.Key) error { return errDown }
		err := call()
		inner.Before = nil
		if unreadable := (*storage.UnreadableError)(nil); !errors.Is(err, errDown) || errors.As(err, &unreadable) {
			t.Errorf("%s: %v", name, err)
		}
		if e, err := s.Get(t.Context(), mine); err != nil || string(e.Value) != value || e.Generation != g {
			t.Fatalf("after %s: %q, %v", name, e.Value, err)
		}
	}
	// The lease was taken, and the entry under it cannot be had.
	inner.Before = func(method string, _ states.Key) error {
		if method == "Get" {
			return errDown
		}
		return nil
	}
	if l, err := s.LeaseAndGet(t.Context(), mine, time.Minute); err != nil || l.Lease.Fence == 0 || !errors.Is(l.EntryErr, errDown) {
		t.Errorf("LeaseAndGet of what cannot be had: %+v, %v", l, err)
	}
}

// A store that fails in the middle of a rekeying leaves every entry readable,
// and rekeying again goes on where it ended.
func TestRekeyGoesOn(t *testing.T) {
	for _, at := range []string{"Keys", "Get", "Put"} {
		inner := &storetest.Failing{Memory: storage.NewMemory()}
		k1, k2 := sealed.NewKey(), sealed.NewKey()
		old := newStore(t, inner, k1)
		all := []states.Key{mine, theirs, {Kind: states.KindLedger, Name: "third"}}
		for _, k := range all {
			put(t, old, k, []byte(value), 0)
		}
		s := newStore(t, inner, k2, sealed.Also(k1))
		calls := 0
		inner.Before = func(method string, _ states.Key) error {
			if method == at {
				if calls++; calls == 2 || at == "Keys" {
					return errDown
				}
			}
			return nil
		}
		first, err := s.Rekey(t.Context())
		if !errors.Is(err, errDown) {
			t.Fatalf("%s fails: %v", at, err)
		}
		if want := map[string]int{"Keys": 0, "Get": 1, "Put": 1}[at]; first.Sealed != want {
			t.Errorf("%s fails: %+v", at, first)
		}
		inner.Before = nil
		if again, err := s.Rekey(t.Context()); err != nil || again.Sealed != 3-first.Sealed || again.Current != first.Sealed {
			t.Errorf("again after %s: %+v, %v", at, again, err)
		}
		for _, k := range all {
			if e, err := newStore(t, inner, k2).Get(t.Context(), k); err != nil || string(e.Value) != value {
				t.Errorf("%q after %s: %q, %v", k, at, e.Value, err)
			}
		}
	}
}

// An entry that is deleted while others are sealed anew is counted as gone.
func TestRekeyOfWhatIsGone(t *testing.T) {
	inner := &storetest.Failing{Memory: storage.NewMemory()}
	k1, k2 := sealed.NewKey(), sealed.NewKey()
	g := put(t, newStore(t, inner, k1), mine, []byte(value), 0)
	inner.Before = func(method string, k states.Key) error {
		if method == "Get" {
			return inner.Delete(t.Context(), k, g)
		}
		return nil
	}
	if r, err := newStore(t, inner, k2, sealed.Also(k1)).Rekey(t.Context()); err != nil || r.Gone != 1 || r.Sealed+r.Current+len(r.Unreadable) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// An unknown key is looked up. The entry is unreadable if the answer is no key or
// another one; a call whose context has ended says so, and nothing is said of the
// entry.
func TestLookups(t *testing.T) {
	m := storage.NewMemory()
	key := sealed.NewKey()
	put(t, newStore(t, m, key), mine, []byte(value), 0)
	none := fmt.Errorf("%w: nowhere", sealed.ErrUnknownKey)
	for _, c := range []struct {
		name   string
		answer func(leave func()) (sealed.Key, error)
		want   error
		reads  string
	}{
		{"the key", func(func()) (sealed.Key, error) { return key, nil }, nil, ""},
		{"another key", func(func()) (sealed.Key, error) { return sealed.NewKey(), nil }, sealed.ErrUnknownKey, "(id " + key.ID() + ")"},
		{"none", func(func()) (sealed.Key, error) { return sealed.Key{}, none }, sealed.ErrUnknownKey, "cannot be read: " + none.Error()},
		{"a failure", func(func()) (sealed.Key, error) { return sealed.Key{}, errDown }, errDown, "(id " + key.ID() + "): " + errDown.Error()},
		{"none, as the caller leaves", func(leave func()) (sealed.Key, error) { leave(); return sealed.Key{}, none }, sealed.ErrUnknownKey, none.Error()},
		{"nothing, for the caller has left", func(leave func()) (sealed.Key, error) { leave(); return sealed.Key{}, context.Canceled }, context.Canceled, ""},
	} {
		ctx, leave := context.WithCancel(t.Context())
		s := newStore(t, m, sealed.NewKey(), sealed.Lookup(func(context.Context, string) (sealed.Key, error) { return c.answer(leave) }))
		_, err := s.Get(ctx, mine)
		if c.want == nil && err == nil {
			continue
		}
		unreadable := (*storage.UnreadableError)(nil)
		if !errors.Is(err, c.want) || errors.As(err, &unreadable) == errors.Is(c.want, context.Canceled) || !strings.HasSuffix(err.Error(), c.reads) {
			t.Errorf("%s: %v", c.name, err)
		}
		leave()
	}
}

// Without a key, or a store, there is no sealed store; the zero key never seals
// anything.
func TestWithoutAKey(t *testing.T) {
	m := storage.NewMemory()
	if _, err := sealed.New(m, sealed.Key{}); err == nil {
		t.Error("a store without a key")
	}
	if _, err := sealed.New(nil, sealed.NewKey()); err == nil {
		t.Error("a store around nothing")
	}
	s := newStore(t, m, sealed.NewKey(), sealed.Also(sealed.Key{}))
	if err := s.Rotate(sealed.Key{}); err == nil {
		t.Error("rotated to no key")
	}
	put(t, s, mine, []byte(value), 0)
	if e, err := s.Get(t.Context(), mine); err != nil || string(e.Value) != value {
		t.Errorf("afterwards: %q, %v", e.Value, err)
	}
}

// bare is a store without any of the optional interfaces.
type bare struct{ storage.Store }

func TestStoreInsideThatCannotList(t *testing.T) {
	s := newStore(t, bare{storage.NewMemory()}, sealed.NewKey())
	_, list := s.List(t.Context(), "", "")
	_, rekey := s.Rekey(t.Context())
	for _, err := range []error{list, rekey, s.Keys(t.Context(), nil), s.Entries(t.Context(), "", "", nil)} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v", err)
		}
	}
}
