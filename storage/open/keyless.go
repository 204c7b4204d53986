package open

import (
	"context"
	"errors"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/sealed"
)

// Keyless is a sealed store that was opened without its key (Options.WithoutKey). Entries
// are listed and deleted; each one that is read is a *storage.UnreadableError, which tells
// the generation, and nothing can be written.
type Keyless struct {
	*sealed.Store
	inner storage.Store
}

var errKeyless = errors.New("open: the store was opened without its key")

func newKeyless(inner storage.Store) (*Keyless, error) {
	s, err := sealed.New(inner, sealed.NewKey()) // a key that opens nothing
	if err != nil {
		return nil, err
	}
	return &Keyless{s, inner}, nil
}

// Put implements storage.Store; it refuses.
func (k *Keyless) Put(context.Context, states.Key, []byte, states.Generation, time.Time) (states.Generation, error) {
	return 0, errKeyless
}

// PutAndRelease implements storage.PutReleaser; it refuses.
func (k *Keyless) PutAndRelease(context.Context, states.Key, []byte, states.Generation, time.Time, uint64) (states.Generation, error) {
	return 0, errKeyless
}

// Forget lets the next opening begin the store with a new key, if nothing is stored any
// more. It reports whether it did.
func (k *Keyless) Forget(ctx context.Context) (bool, error) {
	return keyringstore.Forget(ctx, k.inner)
}
