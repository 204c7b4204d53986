package states

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/stile-oauth/stile/states/wire"
)

// Draw takes 32 random bytes from the seed: HMAC-SHA-256 over a label and a counter, so
// that no value repeats and the same seed gives the same login. The result is 43
// characters of base64url, as RFC 7636 §4.1 recommends for a verifier.
func (d *Data) Draw(label string) wire.Secret {
	sum := d.draw(label)
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], sum[:])
	return wire.Secret(text[:])
}

// Jitter takes a number in [0,1000) from the seed.
func (d *Data) Jitter() int {
	sum := d.draw("jitter")
	return int(binary.BigEndian.Uint32(sum[:4]) % 1000)
}

func (d *Data) draw(label string) [32]byte {
	d.Draws++
	m := hmac.New(sha256.New, []byte(d.Seed.Reveal()))
	m.Write([]byte(label))
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], d.Draws)
	m.Write(n[:])
	var out [32]byte
	m.Sum(out[:0])
	return out
}
