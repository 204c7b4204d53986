package states

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Printing. If a verb does not fit (%s of a struct), fmt follows a pointer without calling
// its methods. So every type with a pointer to secrets prints itself: as JSON, with the
// secrets masked.

// hidden is how values are printed: durations in words, secrets masked by
// their own MarshalText.
var hidden = json.WithMarshalers(json.MarshalToFunc(func(e *jsontext.Encoder, d time.Duration) error {
	return e.WriteToken(jsontext.String(d.String()))
}))

func write(s fmt.State, v any) {
	b, err := json.Marshal(v, hidden)
	if err != nil {
		b = []byte("(not printable)")
	}
	_, _ = s.Write(b)
}

// Format keeps every verb of fmt from reaching a secret.
func (d Data) Format(s fmt.State, _ rune) {
	type plain Data
	write(s, plain(d))
}

// Format keeps every verb of fmt from reaching a secret.
func (c Config) Format(s fmt.State, _ rune) {
	type plain Config
	write(s, plain(c))
}

// Format keeps every verb of fmt from reaching a secret.
func (c Credential) Format(s fmt.State, _ rune) {
	type plain Credential
	write(s, plain(c))
}

// Format keeps every verb of fmt from reaching a secret.
func (l Login) Format(s fmt.State, _ rune) {
	type plain Login
	write(s, plain(l))
}
