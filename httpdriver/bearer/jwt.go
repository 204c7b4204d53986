package bearer

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// JWTConfig says how JWT access tokens are verified (RFC 9068).
type JWTConfig struct {
	// Keys gives the issuer's keys; NewKeySet fetches them.
	Keys Keys
	// Algorithms is the allow-list (rs-jwt-alg-allowlist); default RS256,
	// PS256, ES256 and EdDSA. Symmetric algorithms and none are refused.
	Algorithms []string
	// AnyType accepts tokens that are not marked at+jwt (RFC 9068 §4): many authorization
	// servers write JWT. An ID token whose audience is this resource would then be
	// accepted as an access token.
	AnyType bool
}

// Keys finds public keys. Get returns the keys with that id, or, for an empty
// id, all; refresh asks for a newer set first, which may be refused.
type Keys interface {
	Get(ctx context.Context, id string, refresh bool) ([]jose.JSONWebKey, error)
}

// JWT is a Verifier of signed access tokens.
type JWT struct {
	config     JWTConfig
	algorithms []jose.SignatureAlgorithm
}

var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// NewJWT checks the configuration.
func NewJWT(c JWTConfig) (*JWT, error) {
	if c.Keys == nil {
		return nil, errors.New("bearer: a JWT verifier needs keys")
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}
	}
	v := &JWT{config: c}
	for _, a := range c.Algorithms {
		if !slices.Contains(asymmetric, a) {
			return nil, fmt.Errorf("bearer: %q is not an asymmetric signature algorithm", a)
		}
		v.algorithms = append(v.algorithms, jose.SignatureAlgorithm(a))
	}
	return v, nil
}

// Verify checks form, algorithm, type and signature, and returns the claims
// for Decide to judge.
func (v *JWT) Verify(ctx context.Context, token string) (Claims, error) {
	if !oneSpelling(token) {
		return Claims{}, ErrInvalidToken
	}
	sig, err := jose.ParseSignedCompact(token, v.algorithms)
	if err != nil || len(sig.Signatures) != 1 {
		return Claims{}, ErrInvalidToken
	}
	header := sig.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); !v.config.AnyType && !accessTokenType(typ) {
		return Claims{}, ErrInvalidToken
	}
	payload, err := v.signed(ctx, sig, header)
	if err != nil {
		return Claims{}, err
	}
	return parseClaims(payload)
}

// oneSpelling reports whether a token consists of three parts, each in its only valid
// encoding (RFC 7515 §2). Decoders ignore spare bits in the last character, so one token
// could come in several spellings, which a list of tokens would treat as different.
func oneSpelling(token string) bool {
	parts := strings.Split(token, ".")
	for _, p := range parts {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(p); err != nil {
			return false
		}
	}
	return len(parts) == 3
}

// signed tries the keys that the header's kid names; an unknown kid, or a
// signature that none of them made, asks for newer keys once.
func (v *JWT) signed(ctx context.Context, sig *jose.JSONWebSignature, header jose.Header) ([]byte, error) {
	for _, refresh := range []bool{false, true} {
		keys, err := v.config.Keys.Get(ctx, header.KeyID, refresh)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if !fits(k, header.Algorithm) {
				continue
			}
			if payload, err := sig.Verify(k.Key); err == nil {
				return payload, nil
			}
		}
		if header.KeyID != "" && len(keys) > 0 {
			break // the key is known; the signature is not its
		}
	}
	return nil, ErrInvalidToken
}

// fits reports whether a key may verify this algorithm: it must be of the right kind,
// meant for signatures, and public. So a public key is never used as an HMAC secret.
func fits(k jose.JSONWebKey, alg string) bool {
	if k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != alg {
		return false
	}
	switch k.Key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return strings.HasPrefix(alg, "ES")
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

func accessTokenType(typ string) bool {
	return strings.EqualFold(typ, "at+jwt") || strings.EqualFold(typ, "application/at+jwt")
}

// parseClaims reads a verified payload (RFC 9068 §2.2), strictly.
func parseClaims(payload []byte) (Claims, error) {
	var m struct {
		Issuer    string         `json:"iss"`
		Subject   string         `json:"sub"`
		ClientID  string         `json:"client_id"`
		Audience  jsontext.Value `json:"aud"`
		Scope     jsontext.Value `json:"scope"`
		Expires   *float64       `json:"exp"`
		Issued    *float64       `json:"iat"`
		NotBefore *float64       `json:"nbf"`
		Confirm   jsontext.Value `json:"cnf"`
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return Claims{}, ErrInvalidToken
	}
	c := Claims{Issuer: m.Issuer, Subject: m.Subject, ClientID: m.ClientID}
	c.bind(m.Confirm)
	var okE, okI, okN, okS, okA bool
	c.Expires, okE = instant(m.Expires)
	c.Issued, okI = instant(m.Issued)
	c.NotBefore, okN = instant(m.NotBefore)
	c.Scopes, _, okS = words(m.Scope)
	c.Audience, okA = oneOrMore(m.Audience)
	if !okE || !okI || !okN || !okS || !okA {
		return Claims{}, ErrInvalidToken
	}
	return c, nil
}

// bind reads what a token is bound to (cnf, RFC 7800); such a token is no bearer token.
// The only kind of binding that is known here is the thumbprint of a key (RFC 9449 §6).
func (c *Claims) bind(cnf jsontext.Value) {
	if len(cnf) == 0 || string(cnf) == "null" {
		return
	}
	c.Type = "bound to a key"
	var m map[string]jsontext.Value
	if json.Unmarshal(cnf, &m) != nil || len(m) != 1 {
		return
	}
	if json.Unmarshal(m["jkt"], &c.Thumbprint) == nil && c.Thumbprint != "" {
		c.Type = "DPoP"
	}
}
