package states

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/stile-oauth/stile/states/wire"
)

// Login is a parked login: everything that a replica needs to continue it. Owner binds it to
// the user who began it (rule authz-resp-owner-bound).
type Login struct {
	Version int        `json:"version"`
	Config  *Config    `json:"config"`
	Flow    *Flow      `json:"flow"`
	Entry   Generation `json:"entry,omitzero"`
	// Generation is the generation of the stored record itself; the loader sets it.
	Generation Generation `json:"-"`
}

// DecodeLogin reads a parked login. It refuses an unknown version, and the record is kept.
func DecodeLogin(value wire.Secret, g Generation) (Login, error) {
	var l Login
	if err := Decode(value, &l); err != nil {
		return Login{}, err
	}
	if l.Version != RecordVersion {
		return Login{}, ErrRecordVersion
	}
	if l.Config == nil || l.Flow == nil || l.Flow.State == "" {
		return Login{}, errors.New("the login record is incomplete")
	}
	l.Generation = g
	return l, nil
}

// StateHash gives the name under which the login of a `state` is parked.
func StateHash(state wire.Secret) string {
	h := sha256.Sum256([]byte(state.Reveal()))
	var text [64]byte
	hex.Encode(text[:], h[:])
	return string(text[:])
}
