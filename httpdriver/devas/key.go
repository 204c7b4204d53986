package devas

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Key signs access tokens with Ed25519 (RFC 8037).
type Key struct {
	ID   string
	JWKS []byte // the public half as a JWK set (RFC 7517)
	// private signs; it leaves the process nowhere.
	private ed25519.PrivateKey
}

// NewKey makes a key from a 32-byte seed, or a fresh one from nil.
func NewKey(seed []byte) (*Key, error) {
	if seed == nil {
		seed = make([]byte, ed25519.SeedSize)
		if _, err := rand.Read(seed); err != nil {
			return nil, err
		}
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("devas: the seed of a key is %d bytes", ed25519.SeedSize)
	}
	private := ed25519.NewKeyFromSeed(seed)
	public, _ := private.Public().(ed25519.PublicKey)
	id := base64.RawURLEncoding.EncodeToString(public[:6])
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: id, Algorithm: "EdDSA", Use: "sig"}}})
	if err != nil {
		return nil, err
	}
	return &Key{ID: id, JWKS: set, private: private}, nil
}

// Sign makes a JWS in compact form (RFC 7515 §3.1); it is a peer.Signer.
func (k *Key) Sign(header, claims []byte) string {
	in := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return in + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(k.private, []byte(in)))
}
