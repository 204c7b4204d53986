package sealed

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// KeySize is the length of a sealing key in bytes: AES-256.
const KeySize = 32

// Key is a sealing key. Printing it shows its id, never the key.
type Key struct {
	secret [KeySize]byte
	id     string
}

// NewKey draws a key.
func NewKey() Key {
	var b [KeySize]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program first
	return keyOf(b)
}

// KeyFromBytes takes 32 bytes as a key: those of a KMS, or derived from a
// passphrase.
func KeyFromBytes(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("sealed: a key has %d bytes, not %d", KeySize, len(b))
	}
	return keyOf([KeySize]byte(b)), nil
}

// keyText begins a key in text, so that a key is recognised where it should not be.
const keyText = "stile-sealing-key-1:"

// ParseKey reads what Text gives. White space around it is ignored.
func ParseKey(text string) (Key, error) {
	b64, ok := strings.CutPrefix(strings.TrimSpace(text), keyText)
	b, err := base64.RawURLEncoding.DecodeString(b64)
	if !ok || err != nil || len(b) != KeySize {
		return Key{}, errors.New("sealed: not the text of a sealing key") // and nothing of the text
	}
	return keyOf([KeySize]byte(b)), nil
}

// keyOf derives the id from the key: the id is the same wherever the key is, and
// tells nothing about it.
func keyOf(b [KeySize]byte) Key {
	sum := sha256.Sum256(append([]byte("stile sealing key id\x00"), b[:]...))
	return Key{secret: b, id: hex.EncodeToString(sum[:8])}
}

// ID names the key in envelopes and errors. It is no secret.
func (k Key) ID() string { return k.id }

// Text is the key as it is kept in a keyring or key file: a secret.
func (k Key) Text() string { return keyText + base64.RawURLEncoding.EncodeToString(k.secret[:]) }

// IsZero tells whether this is no key at all.
func (k Key) IsZero() bool { return k.id == "" }

// String shows the id only.
func (k Key) String() string { return "sealing key " + k.id }

// Format keeps every verb of fmt from reaching the key.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// MarshalText shows the id only. Text gives the key.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
