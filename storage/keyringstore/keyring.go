// Package keyringstore opens the store for one user on one machine: encrypted
// files, with the key in the operating system's keyring.
//
//	store, notice, err := keyringstore.OpenDefault(context.Background(), keyringstore.Options{})
//	driver, err := httpdriver.New(httpdriver.Options{Store: store})
//
// Show the notice to the user if it is not empty. Seal does the same for any other
// store. The keyring holds nothing but the 32 bytes of the key (store-size). Where
// no keyring exists, the key is in a file of mode 0600; it can also be derived from
// a passphrase.
//
// # Guarantees
//
// The store itself says which keys it is sealed with, by id and source, so that
// every process finds the same key, no second key is made while the first cannot be
// reached, and the error can say where the missing one is.
//
// # Who should not use it
//
// A service without a user has no keyring: it gives Seal a key file over a store of its
// choice.
package keyringstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/stile-oauth/stile/storage/sealed"
)

// service is the name under which the keys are in the keyring; the user name of
// an item is the id of its key.
const service = "stile sealing key"

// answerWithin bounds how long the keyring may take if the context does not end
// sooner: it may have to ask the user to unlock it.
const answerWithin = 2 * time.Minute

// ErrNoItem says that the keyring works and has no such key.
var ErrNoItem = errors.New("keyringstore: the keyring has no such key")

// NoKeyringError says that there is no keyring here, or none that answers, and
// how to go on.
type NoKeyringError struct{ Err error }

func (e *NoKeyringError) Error() string {
	return "keyringstore: no keyring of the operating system answers (" + e.Err.Error() + "). " +
		"Start or unlock one (on Linux a Secret Service such as gnome-keyring on the session bus), " +
		"or keep the sealing key in a key file, or derive it from a passphrase"
}

func (e *NoKeyringError) Unwrap() error { return e.Err }

// LockedKeyringError says that there is a keyring and it stays locked: nobody
// unlocked it, or it is not allowed to ask. A key file in its place would keep the
// key where the user did not want it.
type LockedKeyringError struct{ Err error }

func (e *LockedKeyringError) Error() string {
	return "keyringstore: the keyring of the operating system is locked (" + e.Err.Error() + "). Unlock it and try again, " +
		"or name a key file, or derive the sealing key from a passphrase"
}

func (e *LockedKeyringError) Unwrap() error { return e.Err }

// locked tells a keyring that is locked from one that is not there: by what
// libsecret's service, macOS and Windows say, and by a question that nobody
// answered in time.
func locked(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	says := strings.ToLower(err.Error())
	for _, word := range []string{"unlock", "locked", "dismissed", "interaction is not allowed", "canceled by the user"} {
		if strings.Contains(says, word) {
			return true
		}
	}
	return false
}

// turn lets one call at a time reach the keyring: the user is asked only once to
// unlock it, and some keyrings fail under several calls at once.
var turn = make(chan struct{}, 1)

// within runs a call of the keyring, which takes no context. If the context ends
// first, the call is left to end by itself, and the next one waits for it.
func within[T any](ctx context.Context, call func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	go func() {
		defer func() { <-turn }()
		v, err := call()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func keyringErr(ctx context.Context, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	if errors.Is(err, keyring.ErrNotFound) {
		return ErrNoItem
	}
	if locked(err) {
		return &LockedKeyringError{Err: err}
	}
	return &NoKeyringError{Err: err}
}

// Load gets the key with this id from the keyring. Errors are ErrNoItem, a
// *NoKeyringError, a *LockedKeyringError, and the context's.
func Load(ctx context.Context, id string) (sealed.Key, error) {
	text, err := within(ctx, func() (string, error) { return keyring.Get(service, id) })
	if err != nil {
		return sealed.Key{}, keyringErr(ctx, err)
	}
	k, err := sealed.ParseKey(text)
	if err != nil || k.ID() != id {
		return sealed.Key{}, fmt.Errorf("keyringstore: the keyring's item %q of %q is not that sealing key", id, service)
	}
	return k, nil
}

// Save puts a key into the keyring, and reads it back to be sure.
func Save(ctx context.Context, k sealed.Key) error {
	_, err := within(ctx, func() (struct{}, error) { return struct{}{}, keyring.Set(service, k.ID(), k.Text()) })
	if err != nil {
		return keyringErr(ctx, err)
	}
	switch _, err := Load(ctx, k.ID()); {
	case errors.Is(err, ErrNoItem):
		return &NoKeyringError{Err: errors.New("it forgets what it is given")}
	default:
		return err
	}
}

// Remove takes the key with this id out of the keyring. What was sealed with it
// is lost unless the key is elsewhere too.
func Remove(ctx context.Context, id string) error {
	_, err := within(ctx, func() (struct{}, error) { return struct{}{}, keyring.Delete(service, id) })
	if err != nil {
		return keyringErr(ctx, err)
	}
	return nil
}
