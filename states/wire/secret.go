package wire

import "fmt"

const mask = "secret(…)"

// Secret is a string that opens something: a token, a code, a verifier, a
// client secret, a seed. Every way of printing or marshalling it gives
// secret(…); reading it takes Reveal, which is easy to search for.
type Secret string

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the value. An empty secret prints as empty, so that "none" and
// "some" can be told apart.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// Format keeps every verb of fmt from reaching the value.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText hides the value from every encoder that was not told otherwise;
// the explicit marshallers (fsm.Machine.Snapshot, states.EncodeCredential and
// their like) reveal it on purpose.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the value as it stands.
func (s *Secret) UnmarshalText(b []byte) error { *s = Secret(b); return nil }
