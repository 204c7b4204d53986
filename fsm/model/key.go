package model

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// keys is the JWK set of those clients in stories that sign assertions. The core holds
// no private key, and stories need none: their signature is a keyed hash that only the
// model's Verify accepts.
const keys = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"story-key","alg":"EdDSA","x":"ceY6rqHjeAZRx4PQTZQNSk8jKaAG153gwEpfFrPPaUA"}]}`

// Key is what a machine knows about the story's key.
func Key() *states.SigningKey {
	return &states.SigningKey{Name: "story", Alg: "EdDSA", ID: "story-key", Keys: keys}
}

// Keys is the JWK set with the public half of the story's key.
func Keys() []byte { return []byte(keys) }

// proofKey is the key that the proofs of stories are signed with.
const proofKey = `{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`

// ProofKey is what a machine knows about the key of the proofs.
func ProofKey() *states.ProofKey {
	return &states.ProofKey{Name: "proof", Alg: "EdDSA", Public: proofKey}
}

// Sign answers a Sign effect with one of the story's keys. No other key exists.
func Sign(q states.Sign) states.Input {
	if q.Key != "story" && q.Key != "proof" {
		return states.Unsigned{Serial: q.Serial, Detail: "there is no key of that name"}
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(q.Header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(q.Claims))
	return states.Signed{Serial: q.Serial, JWS: wire.Secret(text + "." + signature(text))}
}

// Assert gives the assertion that the story's platform makes about the workload. It is
// valid for an hour.
func Assert(q states.Assert, at time.Time) states.Input {
	if q.Provider != "" {
		return identity(q, at)
	}
	claims := fmt.Sprintf(`{"iss":"workload","sub":"workload","aud":%q,"jti":"of-the-platform","iat":%d,"exp":%d}`, q.Audiences[0], at.Unix(), at.Add(time.Hour).Unix())
	in := Sign(states.Sign{Serial: q.Serial, Key: "story", Header: `{"alg":"EdDSA","kid":"story-key"}`, Claims: claims})
	return in
}

// Platform is who gives that assertion, for servers that accept it.
func Platform() peer.Trusted { return peer.Trusted{Issuer: "workload", JWKS: Keys(), Workloads: true} }

// signed signs with the story's key (peer.ASConfig).
func signed(header, claims []byte) string {
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return text + "." + signature(text)
}

func signature(text string) string {
	m := hmac.New(sha256.New, []byte("the key of every story"))
	m.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// Verify checks a JWS with the story's key, if that is the key in the set
// (peer.ASConfig).
func Verify(jws string, jwks []byte) (header, claims []byte, ok bool) {
	parts := strings.Split(jws, ".")
	if len(parts) != 3 || !strings.Contains(string(jwks), `"kid":"story-key"`) && !strings.Contains(string(jwks), proofKey) {
		return nil, nil, false
	}
	header, err1 := base64.RawURLEncoding.DecodeString(parts[0])
	claims, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	return header, claims, err1 == nil && err2 == nil && parts[2] == signature(parts[0]+"."+parts[1])
}
