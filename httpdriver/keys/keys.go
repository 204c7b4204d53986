// Package keys holds private keys for the machine, which sees none: it names a key
// and says what is to be signed (states.Sign).
//
//	key, err := keys.Parse(text, keys.Options{})
//	d, err := httpdriver.New(httpdriver.Options{Signer: key})
//
// Parse reads a key from PEM or JWK text. New takes any crypto.Signer, such as
// those of key management services and of hardware. Both give a Key, which is a
// httpdriver.Signer.
//
// # Guarantees
//
//   - No error and no printed Key shows anything of a private key.
//   - A Key signs under its own name and with its own algorithm, and refuses any
//     other.
//
// # Who should not use it
//
// A client that authenticates by a secret, or not at all, needs no key.
package keys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/states"
)

// Options say what a key does not say about itself.
type Options struct {
	// Name is what the machine asks for the key by; empty is "client".
	Name string
	// Alg is the algorithm (JWA, RFC 7518 §3.1). If it is empty, it is what the key says,
	// or else the usual one for its kind: RS256, ES256, ES384, ES512, EdDSA.
	Alg string
	// ID is the kid that goes into the header; empty takes what the key says.
	ID string
}

// Key is a private key that signs.
type Key struct {
	signer crypto.Signer
	about  states.SigningKey
}

// Format prints the name and the algorithm, whatever the verb: an Ed25519 key is a slice of
// bytes, which fmt would print.
func (k Key) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "keys.Key(%s, %s)", k.about.Name, k.about.Alg)
}

// New makes a Key from a signer.
func New(s crypto.Signer, o Options) (*Key, error) {
	if s == nil || s.Public() == nil {
		return nil, errors.New("keys: there is no key")
	}
	able := algorithms(s.Public())
	if len(able) == 0 {
		return nil, fmt.Errorf("keys: a key of type %T is not used: RSA with 2048 bits or more, ECDSA on P-256, P-384 or P-521, and Ed25519 are", s.Public())
	}
	if o.Alg == "" {
		o.Alg = able[0]
	}
	if !slices.Contains(able, o.Alg) {
		return nil, fmt.Errorf("keys: this key does not sign with %q; it does with %v", o.Alg, able)
	}
	if o.Name == "" {
		o.Name = "client"
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.Public(), KeyID: o.ID, Algorithm: o.Alg, Use: "sig"}}})
	if err != nil {
		return nil, fmt.Errorf("keys: the public key cannot be written: %w", err)
	}
	return &Key{signer: s, about: states.SigningKey{Name: o.Name, Alg: o.Alg, ID: o.ID, Keys: string(set)}}, nil
}

// About is what the machine has to know about the key.
func (k *Key) About() states.SigningKey { return k.about }

// Sign signs text, the encoded header and claims of a JWS (RFC 7515 §5.1), and returns
// the signature in the form of JWA (RFC 7518 §3).
func (k *Key) Sign(_ context.Context, name, alg string, text []byte) ([]byte, error) {
	if name != k.about.Name {
		return nil, fmt.Errorf("keys: there is no key %q", name)
	}
	if alg != k.about.Alg {
		return nil, fmt.Errorf("keys: the key signs with %s, not with %q", k.about.Alg, alg)
	}
	var sum []byte
	hash := hashOf(alg)
	switch hash {
	case crypto.SHA256:
		h := sha256.Sum256(text)
		sum = h[:]
	case crypto.SHA384:
		h := sha512.Sum384(text)
		sum = h[:]
	case crypto.SHA512:
		h := sha512.Sum512(text)
		sum = h[:]
	default:
		sum = text // EdDSA does its own hashing
	}
	var opts crypto.SignerOpts = hash
	if alg[:2] == "PS" {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	sig, err := k.signer.Sign(rand.Reader, sum, opts)
	if err != nil || alg[:2] != "ES" {
		return sig, err
	}
	return fixed(sig, k.signer.Public().(*ecdsa.PublicKey).Curve)
}

// fixed writes an ECDSA signature as two numbers of the curve's length (RFC 7518
// §3.4) in place of ASN.1.
func fixed(sig []byte, curve elliptic.Curve) ([]byte, error) {
	var n struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(sig, &n); err != nil || len(rest) > 0 {
		return nil, errors.New("keys: the signer gives no ECDSA signature")
	}
	size := (curve.Params().BitSize + 7) / 8
	if n.R.Sign() <= 0 || n.S.Sign() <= 0 || n.R.BitLen() > 8*size || n.S.BitLen() > 8*size {
		return nil, errors.New("keys: the signer gives no ECDSA signature")
	}
	out := make([]byte, 2*size)
	n.R.FillBytes(out[:size])
	n.S.FillBytes(out[size:])
	return out, nil
}

// algorithms are those that a public key can be used with, the usual one first.
func algorithms(pub crypto.PublicKey) []string {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if pub.N.BitLen() >= 2048 {
			return []string{"RS256", "PS256", "RS384", "PS384", "RS512", "PS512"}
		}
	case *ecdsa.PublicKey:
		switch pub.Curve {
		case elliptic.P256():
			return []string{"ES256"}
		case elliptic.P384():
			return []string{"ES384"}
		case elliptic.P521():
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}

func hashOf(alg string) crypto.Hash {
	switch alg[2:] {
	case "256":
		return crypto.SHA256
	case "384":
		return crypto.SHA384
	case "512":
		return crypto.SHA512
	}
	return 0
}
