package devas

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Key signs access tokens with Ed25519 (RFC 8037).
type Key struct {
	ID   string
	JWKS []byte // the public half as a JWK set (RFC 7517)
	// private signs, and never leaves the process.
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

// assertionAlgs are the algorithms that a client may sign with: assertions and proofs.
var assertionAlgs = []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.RS256, jose.PS256}

// VerifyJWS checks a JWS in compact form with the keys of a JWK set: with the one
// that its kid names or, without a kid, with any; it is a peer.ASConfig.Verify.
func VerifyJWS(jws string, jwks []byte) (header, claims []byte, ok bool) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, nil, false
	}
	signed, err := jose.ParseSignedCompact(jws, assertionAlgs)
	if err != nil {
		return nil, nil, false
	}
	for _, k := range set.Keys {
		if id := signed.Signatures[0].Header.KeyID; id != "" && id != k.KeyID {
			continue
		}
		if claims, err = signed.Verify(k.Key); err == nil {
			first, _, _ := strings.Cut(jws, ".")
			header, err = base64.RawURLEncoding.DecodeString(first)
			return header, claims, err == nil
		}
	}
	return nil, nil, false
}
