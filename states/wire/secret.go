package wire

import "fmt"

const mask = "secret(…)"

// Secret is a string that opens something: a token, a code, a verifier, a client
// secret, a seed. Every way of printing or marshalling it gives secret(…). Only Reveal
// returns it, and a call of Reveal is easy to search for.
type Secret string

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the value. An empty secret prints as empty, so that one can see whether
// there is a secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// Format keeps every verb of fmt from reaching the value.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText hides the value from every encoder without a marshaller of its own. The
// explicit marshallers (fsm.Machine.Snapshot, states.EncodeCredential and the like)
// reveal it on purpose.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the value unchanged.
func (s *Secret) UnmarshalText(b []byte) error { *s = Secret(b); return nil }
