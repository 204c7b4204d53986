package keys

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Parse reads a private key: PEM (PKCS #8, or the older forms of RSA and ECDSA), a
// JWK, or a JWK set with one private key. No error shows any of it.
func Parse(text []byte, o Options) (*Key, error) {
	trimmed := bytes.TrimSpace(text)
	if len(trimmed) > 0 && trimmed[0] == '{' {
		return parseJWK(trimmed, o)
	}
	for rest := trimmed; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("keys: the text holds no private key in PEM or JWK form")
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("keys: the private key is encrypted; keep it readable for this program alone, or in a key management service")
		default: // parameters of a curve, or a certificate, which may stand beside the key
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("keys: the private key (%s) cannot be read", block.Type)
		}
		return ofAny(key, o)
	}
}

func ofAny(key any, o Options) (*Key, error) {
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("keys: the private key is of a kind that does not sign")
	}
	return New(s, o)
}

func parseJWK(text []byte, o Options) (*Key, error) {
	unreadable := errors.New("keys: the JWK cannot be read")
	var set jose.JSONWebKeySet
	if json.Unmarshal(text, &set) != nil {
		return nil, unreadable
	}
	if set.Keys == nil {
		var one jose.JSONWebKey
		if json.Unmarshal(text, &one) != nil {
			return nil, unreadable
		}
		set.Keys = []jose.JSONWebKey{one}
	}
	var found *jose.JSONWebKey
	for i := range set.Keys {
		k := &set.Keys[i]
		if _, private := k.Key.(crypto.Signer); !private || o.ID != "" && k.KeyID != "" && k.KeyID != o.ID {
			continue
		}
		if found != nil {
			return nil, errors.New("keys: the JWK set holds more than one private key; name one by its kid")
		}
		found = k
	}
	if found == nil {
		return nil, errors.New("keys: the JWK holds no private key that signs")
	}
	if o.ID == "" {
		o.ID = found.KeyID
	}
	if o.Alg == "" {
		o.Alg = found.Algorithm
	}
	return ofAny(found.Key, o)
}
