package open

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// FuzzParse: a text names one kind of store or none, and the error quotes
// nothing of it, since it may hold a password.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "file", "file:", "file:/a:b", "sqlite:x.db", "memory", "memory:", "env:A", "postgres:postgres://u:p@h/d", "postgresql://u:p@h", "redis:redis://h", "rediss://h", "redis+cluster://h", "unix://x", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse(text)
		if err != nil {
			if !errors.Is(err, ErrSpec) || s != (spec{}) || err.Error() != ErrSpec.Error() {
				t.Fatalf("%q: %+v, %v", text, s, err)
			}
			return
		}
		if !slices.Contains([]string{"file", "memory", "sqlite", "env", "postgres", "redis"}, s.kind) || !strings.HasSuffix(text, s.rest) {
			t.Fatalf("%q is %+v", text, s)
		}
	})
}
