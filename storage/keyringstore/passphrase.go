package keyringstore

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/stile-oauth/stile/storage/sealed"
)

// A passphrase becomes a key by PBKDF2 (RFC 8018, section 5.2) with HMAC-SHA-256
// and a salt of 16 bytes, both of which are kept in the store. Fewer iterations
// than minIterations are refused, so that somebody who can write to the store
// cannot have a key derived cheaply, and more than maxIterations, so that they
// cannot keep a process busy for hours.
const (
	saltSize      = 16
	maxIterations = 20_000_000
)

var minIterations = 600_000

func newSalt() []byte {
	b := make([]byte, saltSize)
	_, _ = rand.Read(b)
	return b
}

func derive(ctx context.Context, ask func(context.Context) (string, error), salt []byte, iterations int) (sealed.Key, error) {
	if ask == nil {
		return sealed.Key{}, errors.New("keyringstore: the sealing key comes from a passphrase, and none was given")
	}
	if iterations < minIterations || iterations > maxIterations || len(salt) < saltSize {
		return sealed.Key{}, fmt.Errorf("keyringstore: the store asks for a passphrase to be stretched in a way that is refused (%d iterations, salt of %d bytes)", iterations, len(salt))
	}
	pass, err := ask(ctx)
	if err != nil {
		return sealed.Key{}, fmt.Errorf("keyringstore: passphrase: %w", err)
	}
	if pass == "" {
		return sealed.Key{}, errors.New("keyringstore: the passphrase is empty")
	}
	if err := ctx.Err(); err != nil {
		return sealed.Key{}, err
	}
	b, err := pbkdf2.Key(sha256.New, pass, salt, iterations, sealed.KeySize)
	if err != nil {
		return sealed.Key{}, fmt.Errorf("keyringstore: %w", err)
	}
	return sealed.KeyFromBytes(b)
}
