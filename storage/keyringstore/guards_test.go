package keyringstore_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/storetest"
)

// A keyring that is there and stays locked is an error: a key file in its place
// would keep the key where the user did not want it.
func TestLockedKeyring(t *testing.T) {
	for _, says := range []error{
		errors.New("failed to unlock correct collection '/org/freedesktop/secrets/collection/login'"),
		errors.New("Cannot create an item in a locked collection"),
		errors.New("User interaction is not allowed."),
		errors.New("The prompt was dismissed"),
		context.DeadlineExceeded, // nobody unlocked it
	} {
		withKeyring(t, says)
		d := dir(t)
		_, _, err := keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: d})
		var locked *keyringstore.LockedKeyringError
		if !errors.As(err, &locked) {
			t.Errorf("%q: %v", says, err)
		}
		if left, _ := filepath.Glob(filepath.Join(d, "*.key")); len(left) != 0 {
			t.Errorf("%q: key files %v", says, left)
		}
	}
}

// As long as an entry cannot be read, no key is forgotten that may have sealed it:
// when its bytes are back, it can be read.
func TestKeysOfUnreadableEntriesAreKept(t *testing.T) {
	withKeyring(t, errNoBus)
	d := dir(t)
	files, err := filestore.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	o := keyringstore.Options{Dir: d}
	s, _ := seal(t, files, o)
	put(t, s, "token", 0)
	whole, err := files.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte{}, whole.Value...)
	damaged[len(damaged)-1] ^= 1
	g, err := files.Put(t.Context(), k, damaged, whole.Generation, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r, _, err := s.Rekey(t.Context(), keyringstore.Options{})
		if err != nil || len(r.Unreadable) != 1 {
			t.Fatalf("Rekey = %+v, %v", r, err)
		}
	}
	if _, err = files.Put(t.Context(), k, whole.Value, g, time.Time{}); err != nil {
		t.Fatal(err)
	}
	s, _ = seal(t, files, o)
	want(t, s, "token")
	// Now that all can be read, the older keys are forgotten.
	if r, _, err := s.Rekey(t.Context(), keyringstore.Options{}); err != nil || r.Sealed != 1 {
		t.Fatalf("Rekey = %+v, %v", r, err)
	}
	if e, err := files.Get(t.Context(), k); err != nil {
		t.Fatal(err)
	} else if _, err = files.Put(t.Context(), k, whole.Value, e.Generation, time.Time{}); err != nil {
		t.Fatal(err)
	}
	s, _ = seal(t, files, o)
	var unreadable *storage.UnreadableError
	if e, err := s.Get(t.Context(), k); !errors.As(err, &unreadable) {
		t.Errorf("sealed with a key that was forgotten: %q, %v", e.Value, err)
	}
}

// Only a store that holds nothing but the list of its keys forgets that; then it begins
// again with a new key.
func TestForget(t *testing.T) {
	withKeyring(t, errNoBus)
	forget := func(inner storage.Store, removed bool, want error) {
		t.Helper()
		if done, err := keyringstore.Forget(t.Context(), inner); done != removed || !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("Forget: %v, %v; want %v, %v", done, err, removed, want)
		}
	}
	inner := storage.NewMemory()
	forget(inner, false, nil) // it was not begun
	o := keyringstore.Options{Dir: t.TempDir()}
	s, _ := seal(t, inner, o)
	g := put(t, s, "token", 0)
	other := k
	other.Account = "other"
	if _, err := s.Put(t.Context(), other, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	forget(inner, false, nil)
	e, err := s.Get(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), other, e.Generation); err != nil {
		t.Fatal(err)
	}
	want(t, s, "token")
	if err := s.Delete(t.Context(), k, g); err != nil {
		t.Fatal(err)
	}

	forget(struct{ storage.Store }{inner}, false, nil) // it cannot tell what it holds
	down := errors.New("down")
	for _, failing := range []string{"Keys", "Get", "Delete"} {
		forget(&storetest.Failing{Memory: inner, Before: func(method string, _ states.Key) error {
			if method == failing {
				return down
			}
			return nil
		}}, false, down)
	}
	gone := &storetest.Failing{Memory: inner, Before: func(method string, _ states.Key) error {
		if method == "Delete" {
			return storage.ErrNotFound // another was quicker
		}
		return nil
	}}
	forget(gone, false, nil)

	before, err := filepath.Glob(filepath.Join(o.Dir, "*.key"))
	if err != nil || len(before) != 1 {
		t.Fatalf("%v, %v", before, err)
	}
	forget(inner, true, nil)
	seal(t, inner, o)
	if after, err := filepath.Glob(filepath.Join(o.Dir, "*.key")); err != nil || len(after) != 2 {
		t.Errorf("keys %v, %v", after, err)
	}
}
