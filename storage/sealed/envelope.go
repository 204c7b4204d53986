package sealed

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// The reasons for which an entry cannot be opened. Each comes inside a
// *storage.UnreadableError, which names the entry.
var (
	// ErrNotSealed says that the value is no envelope at all: it was written
	// without sealing.
	ErrNotSealed = errors.New("it is not sealed: it was written by a store without a key, or by something else")
	// ErrVersion says that a newer version of this package sealed it.
	ErrVersion = errors.New("it is sealed in a way that this version does not know")
	// ErrTruncated says that the envelope ends too soon.
	ErrTruncated = errors.New("its envelope is cut off")
	// ErrUnknownKey says that it is sealed with a key that was not found.
	ErrUnknownKey = errors.New("it is sealed with another key")
	// ErrMoved says that the envelope is another entry's (store-aad).
	ErrMoved = errors.New("its envelope belongs to another entry: it was moved or copied here")
	// ErrAltered says that the envelope is this entry's and was changed.
	ErrAltered = errors.New("its envelope was altered")
)

// An envelope is
//
//	"SEAL" | version 1 | key id, 16 letters | binding, 16 bytes | nonce, 12 bytes | ciphertext and tag
//
// and everything before the ciphertext, with the structured key of the entry,
// is the associated data of AES-256-GCM. The binding is the start of a hash of
// the structured key. It proves nothing by itself; it lets a swapped row be
// told from an altered one.
const (
	magic       = "SEAL"
	version     = 1
	idSize      = 16
	bindingSize = 16
	nonceSize   = 12
	tagSize     = 16
	versionAt   = len(magic)
	idAt        = versionAt + 1
	bindingAt   = idAt + idSize
	nonceAt     = bindingAt + bindingSize
	headSize    = nonceAt + nonceSize
)

// Overhead is how many bytes an envelope is longer than its value.
const Overhead = headSize + tagSize

func binding(k states.Key) []byte {
	sum := sha256.Sum256(append([]byte("stile sealed binding\x00"), backend.EncodeKey(k)...))
	return sum[:bindingSize]
}

func associated(head []byte, k states.Key) []byte {
	return append(bytes.Clone(head), backend.EncodeKey(k)...)
}

// aead cannot fail: a key has 32 bytes.
func aead(key Key) cipher.AEAD {
	block, _ := aes.NewCipher(key.secret[:])
	gcm, _ := cipher.NewGCM(block)
	return gcm
}

// seal encloses a value. The nonce is random: one key is good for 2^32 writes
// (NIST SP 800-38D, 8.3), after which it should be rotated.
func seal(key Key, k states.Key, value []byte) []byte {
	b := make([]byte, 0, Overhead+len(value))
	b = append(b, magic...)
	b = append(b, version)
	b = append(b, key.id...)
	b = append(b, binding(k)...)
	b = b[:headSize]
	_, _ = rand.Read(b[nonceAt:headSize])
	return aead(key).Seal(b, b[nonceAt:headSize], value, associated(b, k))
}

// keyIDOf reads which key an envelope was sealed with, if it is one.
func keyIDOf(envelope []byte) (string, error) {
	if n := min(len(envelope), len(magic)); string(envelope[:n]) != magic[:n] || n == 0 {
		return "", ErrNotSealed
	}
	if len(envelope) > versionAt && envelope[versionAt] != version {
		return "", ErrVersion
	}
	if len(envelope) < Overhead {
		return "", ErrTruncated
	}
	return string(envelope[idAt:bindingAt]), nil
}

// open gives the value back.
func open(key Key, k states.Key, envelope []byte) ([]byte, error) {
	value, err := aead(key).Open(nil, envelope[nonceAt:headSize], envelope[headSize:], associated(envelope[:headSize], k))
	if err == nil {
		return value, nil
	}
	if !bytes.Equal(envelope[bindingAt:nonceAt], binding(k)) {
		return nil, ErrMoved
	}
	return nil, ErrAltered
}

func unknown(id string) error {
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ErrAltered // no key ever had such an id
		}
	}
	return fmt.Errorf("%w (id %s)", ErrUnknownKey, id)
}
